import { isIPv6 } from 'node:net'
import { plainName } from './foreign-name.ts'
import type { SourceNode } from './source.ts'
import { splitHostPort } from './text-form.ts'

const hostNames: ReadonlySet<string> = new Set(['host', 'hostname', 'ip', 'address', 'addr', 'server', 'endpoint'])
const databaseNames: ReadonlySet<string> = new Set(['db', 'database'])
const userNames: ReadonlySet<string> = new Set(['user', 'username'])
const passwordNames: ReadonlySet<string> = new Set(['password', 'pass', 'auth', 'requirepass'])

/** A host name or IPv4 address, or a variable whose default is one: nothing else is shown, as it may be a password. */
const harmlessHost = /^(?:[A-Za-z0-9._-]{1,253}|\$\{[A-Za-z_]\w{0,63}(?::-[A-Za-z0-9._-]{0,253})?\})$/
const harmlessPort = /^(?:[1-9]\d{0,4}|\$\{[A-Za-z_]\w{0,63}(?::-\d{1,5})?\})$/

/** How the URL of a Redis is written whose parts stand as keys of their own; undefined for any other key. */
export function redisUrlHint(key: string, redis: SourceNode | undefined): string | undefined {
  if (partOf(key) === undefined || redis?.kind !== 'map') return undefined
  if (redis.entries.has('url')) return 'it is a part of url'
  const parts = new Map<string, SourceNode>()
  for (const [name, { value }] of redis.entries) {
    const part = partOf(name)
    if (part !== undefined && !parts.has(part)) parts.set(part, value)
  }
  const whole = splitHostPort(textOf(parts.get('host')), (host) => (harmlessHost.test(host) || isIPv6(host) ? 1 : 0))
  const host = hostOf(whole?.host ?? textOf(parts.get('host')), parts.has('host'))
  const port = whole?.port ?? portOf(textOf(parts.get('port')))
  return `write url: "redis://${loginOf(parts)}${host}:${port}${databaseOf(parts.get('database'))}"`
}

function partOf(key: string): 'host' | 'port' | 'database' | 'user' | 'password' | undefined {
  const name = plainName(key)
  if (hostNames.has(name)) return 'host'
  if (databaseNames.has(name)) return 'database'
  if (userNames.has(name)) return 'user'
  if (passwordNames.has(name)) return 'password'
  return name === 'port' ? 'port' : undefined
}

function textOf(node: SourceNode | undefined): string {
  return node?.kind === 'scalar' ? node.written : ''
}

function hostOf(text: string, isThere: boolean): string {
  if (isIPv6(text)) return `[${text}]`
  if (harmlessHost.test(text)) return text
  return isThere ? 'HOST' : '127.0.0.1'
}

function portOf(text: string): string {
  return harmlessPort.test(text) && !(Number(text) > 65_535) ? text : '6379'
}

/** Neither is ever shown. */
function loginOf(parts: ReadonlyMap<string, SourceNode>): string {
  if (!parts.has('user') && !parts.has('password')) return ''
  return `${parts.has('user') ? 'USER' : ''}:PASSWORD@`
}

function databaseOf(node: SourceNode | undefined): string {
  const text = textOf(node)
  return /^[1-9]\d{0,2}$/.test(text) ? `/${text}` : ''
}
