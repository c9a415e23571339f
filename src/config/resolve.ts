import type { Config, ListenerConfig } from '../model/config.ts'
import type { LbDocument, ListenerDocument } from './document.generated.ts'
import type { Machine } from './machine.ts'
import { resolveUpstream } from './resolve-upstream.ts'
import { address, bytes, milliseconds, pathOrWord } from './resolve-value.ts'

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
    state: { directory: pathOrWord(document.state.directory, baseDirectory) },
    shutdown: { drainMs: milliseconds(document.shutdown.drain) },
    limits: {
      connections: document.limits.connections,
      pendingBytes: bytes(document.limits.pendingBytes),
      stickyClients: document.limits.stickyClients,
    },
    listeners: around.listenerNames.map((name) => listener(name, own(document.listeners, name), baseDirectory)),
    upstreams: around.upstreamNames.map((name) => resolveUpstream(name, own(document.upstreams, name), baseDirectory)),
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

function own<Value>(map: Readonly<Record<string, Value>>, name: string): Value {
  const value = map[name]
  if (value === undefined) throw new TypeError(`The document has no entry ${name}`)
  return value
}
