import type { BalanceAlgorithm, SourcePrefix, UnavailableAction } from './config.ts'

/**
 * A whole configuration ready to serve: plain data that crosses to the workers by structured clone and is never
 * changed afterwards. Rows are indexes into the shared tables ({@link file://../shared/}), where what outlives a
 * snapshot is kept: counts, counters, the round-robin position.
 */
export interface Snapshot {
  readonly generation: number
  /** The last change of members that it has in it. */
  readonly epoch: number
  /** Workers with an id below this serve; a worker above it stops accepting and ends with its last connection. */
  readonly workers: number
  /** Connections of the whole process above which nothing is accepted. */
  readonly connectionLimit: number
  /** Most bytes that one worker may hold for slow peers. */
  readonly pendingBytesPerWorker: number
  /** Whether ended connections are recorded. */
  readonly accessLog: boolean
  readonly listeners: readonly ListenerSnapshot[]
  readonly upstreams: readonly UpstreamSnapshot[]
}

export interface ListenerSnapshot {
  readonly name: string
  readonly row: number
  readonly sockets: readonly ListenerSocket[]
  /** Index into `Snapshot.upstreams`. */
  readonly upstream: number
  readonly onUnavailable: UnavailableAction
  readonly idleTimeoutMs: number
  readonly halfClosedTimeoutMs: number
  readonly maxDurationMs: number
  /** Silence after which the backend's socket is probed; the client's inherit it from the listening socket. */
  readonly keepAliveMs: number
}

/** A listening socket, opened by the main thread. The id is never given twice, the descriptor number may be. */
export interface ListenerSocket {
  readonly id: number
  readonly fd: number
}

export interface UpstreamSnapshot {
  readonly name: string
  readonly row: number
  readonly balance: BalanceAlgorithm
  readonly sourcePrefix: SourcePrefix
  /** Time for which a client keeps its backend; 0: clients are not kept. */
  readonly stickyTtlMs: number
  readonly connectTimeoutMs: number
  /** Most backends that are tried for one connection. */
  readonly attempts: number
  /** Failures of a backend in a row, each multiple of which main hears of; 0: none. */
  readonly failuresToTell: number
  /** A reset by the backend within this time of connecting, before it sent a byte, is a failure; 0: none is. */
  readonly earlyResetMs: number
  readonly membership: Membership
}

/**
 * Who an upstream's backends are. It has a version of its own, because discovery changes it far more often than
 * anybody changes the file: a change makes no generation, and holds for connections of every generation.
 */
export interface Membership {
  /** Row of the upstream. */
  readonly upstream: number
  /** Number of the change that made it. One count for all upstreams, and it only grows. */
  readonly epoch: number
  readonly backends: readonly BackendSnapshot[]
  /** The same backends by priority, the lowest number first. */
  readonly groups: readonly BackendGroup[]
}

export interface BackendSnapshot {
  /** The address as the file writes it. */
  readonly name: string
  readonly row: number
  /** Number that no other backend ever has, while rows are used again. */
  readonly id: number
  /** AF_INET, AF_INET6 or AF_UNIX. */
  readonly domain: number
  /** `struct sockaddr` as connect(2) takes it. */
  readonly sockaddr: Uint8Array
  /** Whether a connect(2) to it may choose the very same address as its own, while nobody listens there. */
  readonly mayMeetItself: boolean
  /** Connections above which this backend is not chosen; Infinity for no limit. */
  readonly maxConnections: number
}

/** Backends of one upstream that have the same priority, as arrays by position in the group. */
export interface BackendGroup {
  /** Position of each in `Membership.backends`: what a choice answers with. */
  readonly positions: Uint32Array
  /** Row of each in the backend table. */
  readonly rows: Uint32Array
  /** 1 to 256. */
  readonly weights: Float64Array
  /** Infinity for no limit. */
  readonly maxConnections: Float64Array
  /** Hash of each one's address: the same in every process and for ever. */
  readonly identities: Int32Array
  /** Indexes into the arrays above, each as often as its weight asks: one round of weighted round-robin. */
  readonly schedule: Uint32Array
}
