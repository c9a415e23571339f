import { parseDuration } from '../model/units.ts'
import { checkPersist, checkRedis } from './cross-redis.ts'
import type { Fault, Path } from './fault.ts'
import { entriesOf, isMap, member } from './placed-address.ts'
import { schemaAt } from './schema.ts'
import { isServiceName } from './text-form.ts'

/** Keys of `health` that mean something to one kind of check only. */
const healthKeys: Readonly<Record<string, string>> = {
  steps: 'send-expect',
  http: 'http',
  redis: 'redis',
  postgres: 'postgres',
}

/** Keys of `discovery`, and the kinds that know them. */
const discoveryKeys: Readonly<Record<string, readonly string[]>> = {
  redis: ['redis-keys', 'redis-sorted-set'],
  prefix: ['redis-keys'],
  key: ['redis-sorted-set'],
  score: ['redis-sorted-set'],
  maxAge: ['redis-sorted-set'],
  name: ['dns'],
  record: ['dns'],
  port: ['dns'],
  resolvers: ['dns'],
  path: ['file'],
}

const stepKeys = ['send', 'sendHex', 'expect', 'expectHex']

/**
 * Faults between the keys that were written: those that only go together, and those that exclude each other. To be
 * asked before defaults are filled in; it also takes data that the schema refuses.
 */
export function checkKeys(data: unknown): Fault[] {
  return entriesOf(member(data, 'upstreams')).flatMap(checkUpstream)
}

function checkUpstream([name, upstream]: readonly [string, unknown]): Fault[] {
  if (!isMap(upstream)) return []
  const path = ['upstreams', name]
  return [
    ...checkMembers(path, upstream),
    ...checkServers(path, upstream),
    ...checkHealth([...path, 'health'], member(upstream, 'health')),
    ...checkDiscovery([...path, 'discovery'], member(upstream, 'discovery')),
    ...checkOutlier([...path, 'outlier'], member(upstream, 'outlier')),
    ...checkPersist([...path, 'sticky', 'persist'], member(member(upstream, 'sticky'), 'persist')),
  ]
}

function checkMembers(path: Path, upstream: object): Fault[] {
  const servers = member(upstream, 'servers')
  const hasServers = servers !== undefined && !(Array.isArray(servers) && servers.length === 0)
  if (hasServers || member(upstream, 'discovery') !== undefined) return []
  const hint = 'list them under "servers", or have "discovery" find them'
  return [{ path, on: 'key', message: 'this upstream has no backends', hint }]
}

function checkServers(path: Path, upstream: object): Fault[] {
  const servers = member(upstream, 'servers')
  if (!Array.isArray(servers)) return []
  return servers.flatMap((server: unknown, index): Fault[] => {
    if (member(server, 'backup') !== true || member(server, 'priority') === undefined) return []
    const message = 'a backup has no priority: it comes after all of them'
    return [{ path: [...path, 'servers', index, 'priority'], on: 'key', message, hint: 'remove one of the two' }]
  })
}

function checkHealth(path: Path, health: unknown): Fault[] {
  if (!isMap(health)) return []
  const type = member(health, 'type') ?? 'tcp'
  // A type that is not known is a fault of its own, and then nothing is known of its keys.
  if (!isKnownType(path, type)) return []
  const faults: Fault[] = []
  for (const [key, owner] of Object.entries(healthKeys)) {
    if (member(health, key) === undefined || type === owner) continue
    faults.push({
      path: [...path, key],
      on: 'key',
      message: `"${key}" is of type ${owner}, and not of type ${type}`,
      hint: `write type: ${owner}, or remove it`,
    })
  }
  if (type === 'tcp' && member(health, 'tls') !== undefined) {
    const message = '"tls" is not of type tcp'
    faults.push({ path: [...path, 'tls'], on: 'key', message, hint: 'write type: tls, or remove it' })
  }
  const http = member(health, 'http')
  if (member(http, 'method') === 'HEAD' && (member(http, 'body') ?? '') !== '') {
    const message = 'an answer to HEAD has no body, so that no check could pass'
    faults.push({ path: [...path, 'http', 'body'], on: 'key', message, hint: 'write method: GET, or remove it' })
  }
  if (type === 'send-expect' && member(health, 'steps') === undefined) {
    faults.push({ path, on: 'key', message: 'send-expect has no steps', hint: 'list them under "steps"' })
  }
  const steps = member(health, 'steps')
  if (Array.isArray(steps)) faults.push(...steps.flatMap((step, index) => checkStep([...path, 'steps', index], step)))
  return faults
}

function checkStep(path: Path, step: unknown): Fault[] {
  if (!isMap(step)) return []
  const found = stepKeys.filter((key) => member(step, key) !== undefined)
  if (found.length === 1) return []
  const message = found.length === 0 ? 'a step that does nothing' : `a step has one key, not ${found.join(' and ')}`
  return [{ path, on: 'value', message, hint: `write one of ${stepKeys.join(', ')}` }]
}

function checkDiscovery(path: Path, discovery: unknown): Fault[] {
  const type = member(discovery, 'type')
  if (!isMap(discovery) || !isKnownType(path, type)) return []
  const faults = checkRedis([...path, 'redis'], member(discovery, 'redis'))
  for (const [key, owners] of Object.entries(discoveryKeys)) {
    if (member(discovery, key) === undefined || owners.includes(type)) continue
    const hint = `write type: ${owners.join(' or ')}, or remove it`
    faults.push({ path: [...path, key], on: 'key', message: `"${key}" is not of type ${type}`, hint })
  }
  if (type === 'dns' && member(discovery, 'record') === 'srv' && member(discovery, 'port') !== undefined) {
    const message = '"port" is not of SRV records: they bring their own'
    faults.push({ path: [...path, 'port'], on: 'key', message, hint: 'remove it' })
  }
  for (const key of requiredKeys(type, discovery)) {
    if (member(discovery, key) !== undefined) continue
    const name = member(discovery, 'name')
    const isService = key === 'port' && typeof name === 'string' && isServiceName(name)
    const hint = isService ? 'write record: srv, which brings ports; else add port' : `add ${key}`
    faults.push({ path, on: 'key', message: `discovery of type ${type} needs "${key}"`, hint })
  }
  return faults
}

function requiredKeys(type: string, discovery: unknown): string[] {
  if (type === 'file') return ['path']
  if (type !== 'dns') return []
  return member(discovery, 'record') === 'srv' ? ['name'] : ['name', 'port']
}

function checkOutlier(path: Path, outlier: unknown): Fault[] {
  const of = (key: string) => {
    const text = member(outlier, key) ?? schemaAt([...path, key])?.default
    return typeof text === 'string' ? parseDuration(text) : undefined
  }
  const [first, longest] = [of('ejection'), of('maxEjection')]
  if (!isMap(outlier) || first === undefined || longest === undefined || first <= longest) return []
  const key = member(outlier, 'maxEjection') === undefined ? 'ejection' : 'maxEjection'
  const message = 'the first ejection is longer than the longest'
  return [{ path: [...path, key], on: 'value', message, hint: 'give maxEjection at least the time of ejection' }]
}

function isKnownType(path: Path, type: unknown): type is string {
  return typeof type === 'string' && (schemaAt([...path, 'type'])?.enum?.includes(type) ?? false)
}
