import { promises as dns, type SrvRecord } from 'node:dns'
import { formatAddress } from '../model/address.ts'
import type { DiscoveryConfig, ServerConfig } from '../model/config.ts'
import { Collector, Room } from './collector.ts'
import { parseFields } from './member.ts'
import type { FoundMember } from './member-set.ts'
import type { Source, SourceContext, SourceRead } from './source.ts'
import { recordNames } from './source-place.ts'

type DnsConfig = Extract<DiscoveryConfig, { type: 'dns' }>

/** The first try of a server; c-ares doubles it with every round over all servers. */
const timeoutMs = 1_500
const tries = 2
/** A record that claims to be good for a week would keep a changed list away for as long. */
const maxFreshMs = 3_600_000
/** Targets of SRV records that are asked for at once. */
const lookupsAtOnce = 16
const maxPriority = 15
const maxWeight = 256

/** Resolvers that a reason names. */
const maxNamed = 3

interface Lookup {
  readonly hosts: readonly string[]
  /** Infinity where no record came. */
  readonly ttlMs: number
  /** Whether there is no such name, for any type of record. */
  readonly isNoName: boolean
}

/** Members that a name stands for. The system's hosts file and search list are not consulted. */
export function dnsSource(config: DnsConfig, context: SourceContext): Source {
  const resolver = new dns.Resolver({ timeout: timeoutMs, tries })
  if (config.resolvers.length > 0) resolver.setServers([...config.resolvers])
  /** Addresses of the targets of SRV records, by the last answer to each. */
  const known = new Map<string, readonly string[]>()
  /** Whether what is known of the targets is all that members of this source can come from. */
  let isBaseKnown = false

  async function readAddresses(): Promise<SourceRead> {
    const { hosts, ttlMs, isNoName } = await lookUp(resolver, config.host, config.record)
    return gather([{ hosts, port: config.port, weight: 1, priority: 0 }], ttlMs, nothingAt(isNoName))
  }

  async function readServices(): Promise<SourceRead> {
    const { records, isNoName } = await orNothing(config.host, resolver.resolveSrv(config.host))
    // RFC 2782: the target "." says that there is no such service.
    const all = scaled(records.filter(({ name }) => name !== '' && name !== '.'))
    const services = inStableOrder(all).slice(0, config.maxMembers)
    const { targets, failed, ttlMs } = await lookUpTargets(services)
    if (failed[0] !== undefined && failed.length === new Set(services.map(({ name }) => name)).size)
      throw failed[0].error
    const unknown = failed.filter(({ name }) => !known.has(name))
    const freshForMs = failed.length > 0 ? Number.POSITIVE_INFINITY : ttlMs
    const names = unknown.map(({ name }) => name)
    const nothing = all.length === 0 ? nothingAt(isNoName) : 'no target of its records has an address'
    const read = gather(targets, freshForMs, nothing, { dropped: all.length - services.length, unknown: names })
    const isMember = ({ server }: FoundMember) => context.isMember(formatAddress(server.address))
    // Members of an earlier process may be those of a target that does not answer now.
    const isUnsure = !isBaseKnown && read.found.some(isMember)
    if (unknown[0] !== undefined && isUnsure) throw unknown[0].error
    isBaseKnown = true
    return read
  }

  /** Asks for the targets' addresses. One that fails keeps those that it had. */
  async function lookUpTargets(services: readonly Service[]) {
    const names = new Set(services.map(({ name }) => name))
    for (const name of known.keys()) if (!names.has(name)) known.delete(name)
    const failed: { name: string; error: unknown }[] = []
    let ttlMs = Number.POSITIVE_INFINITY
    const list = [...names]
    for (let from = 0; from < list.length; from += lookupsAtOnce) {
      const some = list.slice(from, from + lookupsAtOnce)
      const lookups = await Promise.allSettled(some.map((name) => lookUp(resolver, name, 'address')))
      for (const [index, lookup] of lookups.entries()) {
        const name = some[index]!
        if (lookup.status === 'rejected') failed.push({ name, error: lookup.reason })
        else known.set(name, lookup.value.hosts)
        if (lookup.status === 'fulfilled') ttlMs = Math.min(ttlMs, lookup.value.ttlMs)
      }
    }
    const targets = services.map((service) => ({ ...service, hosts: known.get(service.name) ?? [] }))
    return { targets, failed, ttlMs }
  }

  /** Services that have members first, then by name: servers that answer in another order each time change nothing. */
  function inStableOrder(services: readonly Service[]): Service[] {
    const rankOf = ({ name, port }: Service) =>
      (known.get(name) ?? []).some((host) => context.isMember(addressText(host, port))) ? 0 : 1
    const ranked = services.map((service) => ({ service, rank: rankOf(service) }))
    ranked.sort((a, b) => a.rank - b.rank || compare(a.service.name, b.service.name) || a.service.port - b.service.port)
    return ranked.map(({ service }) => service)
  }

  function nothingAt(isNoName: boolean): string {
    const name = printable(config.host)
    return isNoName ? `there is no name ${name} (NXDOMAIN)` : `${name} has no ${recordNames[config.record]} records`
  }

  function gather(targets: readonly Target[], ttlMs: number, nothing: string, refused = nobody): SourceRead {
    const collector = new Collector(context.filter)
    const room = new Room<ServerConfig>(config.maxMembers, context.isMember)
    for (const { hosts, port, weight, priority } of targets) {
      for (const host of hosts) {
        const address = addressText(host, port)
        const server = collector.accept(parseFields({ address, weight, priority }), address)
        if (server === undefined) continue
        const key = formatAddress(server.address)
        const before = room.get(key)
        if (before !== undefined) collector.refuse('duplicate', key)
        if (before === undefined || before.priority > server.priority) room.put(key, server)
      }
    }
    for (const [, server] of room.entries()) collector.add(server)
    for (const name of refused.unknown) collector.refuse('lookup-failed', name)
    collector.refuseTooMany(refused.dropped + room.dropped)
    return collector.result(nothing, Number.isFinite(ttlMs) ? Math.min(ttlMs, maxFreshMs) : undefined)
  }

  return {
    read: config.record === 'srv' ? readServices : readAddresses,
    describe: (error) => describe(error, config.host, resolver.getServers()),
    interrupt: () => resolver.cancel(),
    close: async () => resolver.cancel(),
  }
}

interface Target {
  readonly hosts: readonly string[]
  readonly port: number
  readonly weight: number
  readonly priority: number
}

/** What a read has refused before it looked at addresses: services without a place, and targets of unknown address. */
interface Refused {
  readonly dropped: number
  readonly unknown: readonly string[]
}

const nobody: Refused = { dropped: 0, unknown: [] }

async function lookUp(resolver: dns.Resolver, host: string, record: 'address' | 'a' | 'aaaa' | 'srv'): Promise<Lookup> {
  const [ipv4, ipv6] = await Promise.all([
    record === 'aaaa' ? undefined : orNothing(host, resolver.resolve4(host, { ttl: true })),
    record === 'a' ? undefined : orNothing(host, resolver.resolve6(host, { ttl: true })),
  ])
  const records = [...(ipv4?.records ?? []), ...(ipv6?.records ?? [])]
  const isNoName = ipv4?.isNoName === true || ipv6?.isNoName === true
  const ttlMs = records.reduce((least, { ttl }) => Math.min(least, ttl * 1000), Number.POSITIVE_INFINITY)
  return { hosts: records.map(({ address }) => address), ttlMs, isNoName }
}

/** That there is nothing is an answer as well. @throws {LookupError} */
async function orNothing<T>(host: string, answer: Promise<T[]>): Promise<{ records: T[]; isNoName: boolean }> {
  try {
    return { records: await answer, isNoName: false }
  } catch (error) {
    const code = codeOf(error)
    if (code !== 'ENOTFOUND' && code !== 'ENODATA') throw new LookupError(host, code || String(error))
    return { records: [], isNoName: code === 'ENOTFOUND' }
  }
}

/** The question for `host` failed. */
class LookupError extends Error {
  readonly host: string
  readonly code: string

  constructor(host: string, code: string) {
    super(`cannot look up ${host}: ${code}`)
    this.host = host
    this.code = code
  }
}

function addressText(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

type Service = Omit<Target, 'hosts'> & { readonly name: string }

/**
 * Priorities become ranks, 0 to 15. Weights, 0 to 65535, are made to fit 1 to 256 beside those of the same priority, and
 * stay what they are where they do.
 */
export function scaled(records: readonly SrvRecord[]): Service[] {
  const ranks = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b)
  const heaviest = new Map<number, number>()
  for (const { priority, weight } of records) heaviest.set(priority, Math.max(heaviest.get(priority) ?? 0, weight))
  return records.map(({ name, port, weight, priority }) => {
    const factor = Math.min(1, maxWeight / Math.max(1, heaviest.get(priority) ?? 0))
    return {
      name,
      port,
      weight: Math.max(1, Math.round(weight * factor)),
      priority: Math.min(maxPriority, ranks.indexOf(priority)),
    }
  })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** Names of targets come from the network; the rest is from the configuration, and from a list of codes. */
function describe(error: unknown, ownHost: string, resolvers: readonly string[]): string {
  const known: Readonly<Record<string, string>> = {
    ETIMEOUT: 'no server answered in time',
    ECONNREFUSED: 'no server takes questions',
    ESERVFAIL: 'the server failed',
    EREFUSED: 'the server refused the question',
    ECANCELLED: 'no answer came in time',
  }
  const host = error instanceof LookupError ? error.host : ownHost
  const target = host === ownHost ? printable(host) : `${printable(host)}, a target of ${ownHost}`
  const more = resolvers.length > maxNamed ? ` and ${resolvers.length - maxNamed} more` : ''
  const asked = resolvers.length === 0 ? '' : ` (asked ${resolvers.slice(0, maxNamed).join(', ')}${more})`
  const code = codeOf(error)
  return `Cannot look up ${target}: ${known[code] ?? (code || String(error))}${asked}`
}

function printable(name: string): string {
  return name.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, 255)
}
