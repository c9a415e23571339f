import { resolve as resolvePath } from 'node:path'
import type { SocketAddress } from '../model/address.ts'
import type { Config, ListenerConfig, ServerConfig, UpstreamConfig } from '../model/config.ts'
import { parseDuration, parseSize } from '../model/units.ts'
import { parseAddress } from './address.ts'
import type { LbDocument, ListenerDocument, ServerDocument, UpstreamDocument } from './document.generated.ts'
import type { Machine } from './machine.ts'
import type { AddressRole } from './schema.ts'

/** What a document's values are relative to. */
export interface Surroundings {
  /** Folder of the file: relative paths start here. */
  readonly baseDirectory: string
  readonly machine: Machine
  /** Names in the order of the file, which an object does not keep for names that are numbers. */
  readonly listenerNames: readonly string[]
  readonly upstreamNames: readonly string[]
}

const maxWorkers = 64

/** Turns a valid document with its defaults into a Config: units to numbers, paths absolute, `auto` to a number. */
export function resolveConfig(document: LbDocument, around: Surroundings): Config {
  const { baseDirectory, machine } = around
  return {
    workers: document.workers === 'auto' ? Math.min(machine.cpus, maxWorkers) : document.workers,
    log: { ...document.log },
    accessLog: { to: pathOrWord(document.accessLog.to, baseDirectory), format: document.accessLog.format },
    admin: { socket: pathOrWord(document.admin.socket, baseDirectory) },
    reload: { watch: document.reload.watch, debounceMs: milliseconds(document.reload.debounce) },
    shutdown: { drainMs: milliseconds(document.shutdown.drain) },
    limits: { connections: document.limits.connections, pendingBytes: bytes(document.limits.pendingBytes) },
    listeners: around.listenerNames.map((name) => listener(name, own(document.listeners, name), baseDirectory)),
    upstreams: around.upstreamNames.map((name) => upstream(name, own(document.upstreams, name), baseDirectory)),
  }
}

function listener(name: string, document: ListenerDocument, baseDirectory: string): ListenerConfig {
  const binds = typeof document.bind === 'string' ? [document.bind] : document.bind
  const { timeouts } = document
  return {
    name,
    bind: binds.map((text) => address(text, 'listener', baseDirectory)),
    socket: { backlog: document.socket.backlog, keepAliveMs: milliseconds(document.socket.keepAlive) },
    timeouts: {
      idleMs: milliseconds(timeouts.idle),
      halfClosedMs: milliseconds(timeouts.halfClosed),
      maxDurationMs: milliseconds(timeouts.maxDuration),
    },
    upstream: document.upstream,
    onUnavailable: document.onUnavailable,
  }
}

function upstream(name: string, document: UpstreamDocument, baseDirectory: string): UpstreamConfig {
  return {
    name,
    balance: document.balance,
    servers: document.servers.map((row) => server(row, baseDirectory)),
    connect: { timeoutMs: milliseconds(document.connect.timeout), attempts: document.connect.attempts },
  }
}

function server(document: ServerDocument, baseDirectory: string): ServerConfig {
  const { maxConnections } = document
  return {
    address: address(document.address, 'server', baseDirectory),
    weight: document.weight,
    maxConnections: maxConnections === 'unlimited' ? Number.POSITIVE_INFINITY : maxConnections,
  }
}

function address(text: string, role: AddressRole, baseDirectory: string): SocketAddress {
  const parsed = parseAddress(text, role)
  if ('message' in parsed) throw new TypeError(`The schema let an address through: ${parsed.message}`)
  const found = parsed.address
  return found.family === 'unix' ? { family: 'unix', path: resolvePath(baseDirectory, found.path) } : found
}

/** A word stays as it is; the schema sees to it that a path has a slash and a word has none. */
function pathOrWord(text: string, baseDirectory: string): string {
  return text.includes('/') ? resolvePath(baseDirectory, text) : text
}

/** The words that stand for a duration, `unlimited` and `none`, both mean that the time never comes. */
function milliseconds(text: string): number {
  return parseDuration(text) ?? Number.POSITIVE_INFINITY
}

function bytes(text: string): number {
  return parseSize(text) ?? Number.POSITIVE_INFINITY
}

function own<Value>(map: Readonly<Record<string, Value>>, name: string): Value {
  const value = map[name]
  if (value === undefined) throw new TypeError(`The document has no entry ${name}`)
  return value
}
