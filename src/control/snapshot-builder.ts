import { buildGroups, type GroupMember, longestSchedule, MAX_SCHEDULE } from '../balance/group.ts'
import { domainOf, encodeSockaddr } from '../kernel/sockaddr.ts'
import { formatAddress } from '../model/address.ts'
import type { Config, ListenerConfig, ServerConfig, UpstreamConfig } from '../model/config.ts'
import { McsError } from '../model/errors.ts'
import type {
  BackendGroup,
  BackendSnapshot,
  ListenerSnapshot,
  Membership,
  Snapshot,
  UpstreamSnapshot,
} from '../model/snapshot.ts'
import { type OpenSocket, socketKey } from './listening-sockets.ts'
import { ownEphemeralAddresses } from './own-address.ts'
import type { Age, RowRegistry } from './row-registry.ts'

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
  /** By upstream. */
  readonly backends: Map<string, ReadonlySet<string>>
}

/** The backends of upstreams whose file does not list them all, by the upstream's name. */
export type Members = ReadonlyMap<string, readonly ServerConfig[]>

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
  members: Members,
  age: Age,
  rows: Rows,
  sockets: ReadonlyMap<string, OpenSocket>,
  connectionLimit: number,
): BuiltSnapshot {
  const used: UsedKeys = { listeners: new Set(), upstreams: new Set(), backends: new Map() }
  const snapshot: Snapshot = {
    generation: age.generation,
    epoch: age.epoch,
    workers: config.workers,
    connectionLimit: Math.min(config.limits.connections, connectionLimit),
    pendingBytesPerWorker: Math.floor(config.limits.pendingBytes / config.workers),
    accessLog: config.accessLog.to !== 'none',
    listeners: config.listeners.map((listener) => buildListener(listener, config, rows, used, sockets)),
    upstreams: config.upstreams.map((upstream) =>
      buildUpstream(upstream, members.get(upstream.name) ?? upstream.servers, age, rows, used),
    ),
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

function buildUpstream(
  upstream: UpstreamConfig,
  servers: readonly ServerConfig[],
  age: Age,
  rows: Rows,
  used: UsedKeys,
): UpstreamSnapshot {
  used.upstreams.add(upstream.name)
  const row = rows.upstreams.rowFor(upstream.name, upstream.name)
  const { membership, keys } = buildMembership({ name: upstream.name, row }, servers, age.epoch, rows)
  used.backends.set(upstream.name, keys)
  return {
    name: upstream.name,
    row,
    balance: upstream.balance,
    sourcePrefix: upstream.sourcePrefix,
    stickyTtlMs: upstream.sticky?.ttlMs ?? 0,
    connectTimeoutMs: upstream.connect.timeoutMs,
    attempts: upstream.connect.attempts,
    failuresToTell: upstream.outlier?.consecutiveFailures ?? 0,
    earlyResetMs: upstream.outlier?.earlyResetMs ?? 0,
    membership,
  }
}

/** Turns the backends of an upstream into what workers choose from. Throws MCS_LIMIT_EXCEEDED. */
export function buildMembership(
  upstream: { readonly name: string; readonly row: number },
  servers: readonly ServerConfig[],
  epoch: number,
  rows: Rows,
): { membership: Membership; keys: Set<string> } {
  const keys = new Set<string>()
  const mayMeetItself = ownEphemeralAddresses()
  const backends = servers.map((server): BackendSnapshot => {
    const name = formatAddress(server.address)
    const key = backendKey(upstream.name, name)
    keys.add(key)
    const { row, id } = rows.backends.entryFor(key, name)
    return {
      name,
      row,
      id,
      domain: domainOf(server.address),
      sockaddr: encodeSockaddr(server.address),
      mayMeetItself: mayMeetItself(server.address),
      maxConnections: server.maxConnections,
    }
  })
  const members = servers.map((server, i) => ({
    name: backends[i]!.name,
    row: backends[i]!.row,
    weight: server.weight,
    maxConnections: server.maxConnections,
    priority: server.priority,
  }))
  return { membership: { upstream: upstream.row, epoch, backends, groups: groupsOf(upstream.name, members) }, keys }
}

function groupsOf(upstream: string, members: readonly GroupMember[]): BackendGroup[] {
  const turns = longestSchedule(members)
  if (turns > MAX_SCHEDULE) {
    const message = `Cannot balance upstream "${upstream}": its weights, divided by what they share, add up to ${turns}; keep the sum at or below ${MAX_SCHEDULE}`
    throw new McsError('MCS_LIMIT_EXCEEDED', message, { source: 'config' })
  }
  return buildGroups(members)
}

/** A backend is the same one as long as its upstream and its address are. */
export function backendKey(upstream: string, address: string): string {
  return `${upstream} ${address}`
}

/** The upstream of a {@link backendKey}. */
export function upstreamOfKey(key: string): string {
  return key.slice(0, key.indexOf(' '))
}
