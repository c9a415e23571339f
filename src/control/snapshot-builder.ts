import { buildSchedule, scheduleLength } from '../balance/round-robin.ts'
import { domainOf, encodeSockaddr } from '../kernel/sockaddr.ts'
import { formatAddress } from '../model/address.ts'
import type { Config, ListenerConfig, UpstreamConfig } from '../model/config.ts'
import { McsError } from '../model/errors.ts'
import type { BackendSnapshot, ListenerSnapshot, Snapshot, UpstreamSnapshot } from '../model/snapshot.ts'
import { type OpenSocket, socketKey } from './listening-sockets.ts'
import type { RowRegistry } from './row-registry.ts'

/** Longest round of weighted round-robin, all weights of an upstream divided by what they share. */
const MAX_SCHEDULE = 1_048_576

/** The rows of everything that snapshots name. */
export interface Rows {
  readonly listeners: RowRegistry
  readonly upstreams: RowRegistry
  readonly backends: RowRegistry
}

/** What a snapshot names, by the keys of {@link Rows}. */
export interface UsedKeys {
  readonly listeners: Set<string>
  readonly upstreams: Set<string>
  readonly backends: Set<string>
}

export interface BuiltSnapshot {
  readonly snapshot: Snapshot
  readonly used: UsedKeys
}

/**
 * Turns a configuration into the snapshot that workers serve. `sockets` has the listening sockets by their keys;
 * `connectionLimit` is what descriptors allow. Throws MCS_LIMIT_EXCEEDED.
 */
export function buildSnapshot(
  config: Config,
  generation: number,
  rows: Rows,
  sockets: ReadonlyMap<string, OpenSocket>,
  connectionLimit: number,
): BuiltSnapshot {
  const used: UsedKeys = { listeners: new Set(), upstreams: new Set(), backends: new Set() }
  const snapshot: Snapshot = {
    generation,
    workers: config.workers,
    connectionLimit: Math.min(config.limits.connections, connectionLimit),
    pendingBytesPerWorker: Math.floor(config.limits.pendingBytes / config.workers),
    accessLog: config.accessLog.to !== 'none',
    listeners: config.listeners.map((listener) => buildListener(listener, config, rows, used, sockets)),
    upstreams: config.upstreams.map((upstream) => buildUpstream(upstream, rows, used)),
  }
  return { snapshot, used }
}

function buildListener(
  listener: ListenerConfig,
  config: Config,
  rows: Rows,
  used: UsedKeys,
  sockets: ReadonlyMap<string, OpenSocket>,
): ListenerSnapshot {
  used.listeners.add(listener.name)
  return {
    name: listener.name,
    row: rows.listeners.rowFor(listener.name, listener.name),
    sockets: listener.bind.map((address, index) => {
      const { id, fd } = sockets.get(socketKey(listener.name, index, address))!
      return { id, fd }
    }),
    upstream: config.upstreams.findIndex((upstream) => upstream.name === listener.upstream),
    onUnavailable: listener.onUnavailable,
    idleTimeoutMs: listener.timeouts.idleMs,
    halfClosedTimeoutMs: listener.timeouts.halfClosedMs,
    maxDurationMs: listener.timeouts.maxDurationMs,
    keepAliveMs: listener.socket.keepAliveMs,
  }
}

function buildUpstream(upstream: UpstreamConfig, rows: Rows, used: UsedKeys): UpstreamSnapshot {
  const weights = upstream.servers.map((server) => server.weight)
  const turns = scheduleLength(weights)
  if (turns > MAX_SCHEDULE) {
    const message = `Cannot balance upstream "${upstream.name}": its weights, divided by what they share, add up to ${turns}; keep the sum at or below ${MAX_SCHEDULE}`
    throw new McsError('MCS_LIMIT_EXCEEDED', message, { source: 'config' })
  }
  used.upstreams.add(upstream.name)
  return {
    name: upstream.name,
    row: rows.upstreams.rowFor(upstream.name, upstream.name),
    connectTimeoutMs: upstream.connect.timeoutMs,
    attempts: upstream.connect.attempts,
    schedule: buildSchedule(weights),
    backends: upstream.servers.map((server): BackendSnapshot => {
      const name = formatAddress(server.address)
      const key = backendKey(upstream.name, name)
      used.backends.add(key)
      return {
        name,
        row: rows.backends.rowFor(key, name),
        domain: domainOf(server.address),
        sockaddr: encodeSockaddr(server.address),
        maxConnections: server.maxConnections,
      }
    }),
  }
}

/** A backend is the same one as long as its upstream and its address are. */
function backendKey(upstream: string, address: string): string {
  return `${upstream} ${address}`
}
