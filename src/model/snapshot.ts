import type { UnavailableAction } from './config.ts'

/**
 * A whole configuration ready to serve: plain data that crosses to the workers by structured clone and is never
 * changed afterwards. Rows are indexes into the shared tables ({@link file://../shared/}), where what outlives a
 * snapshot is kept: counts, counters, the round-robin position.
 */
export interface Snapshot {
  readonly generation: number
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
  readonly connectTimeoutMs: number
  /** Most backends that are tried for one connection. */
  readonly attempts: number
  readonly backends: readonly BackendSnapshot[]
  /** Positions in `backends`, each as often as its weight asks: one round of weighted round-robin. */
  readonly schedule: Uint32Array
}

export interface BackendSnapshot {
  /** The address as the file writes it. */
  readonly name: string
  readonly row: number
  /** AF_INET, AF_INET6 or AF_UNIX. */
  readonly domain: number
  /** `struct sockaddr` as connect(2) takes it. */
  readonly sockaddr: Uint8Array
  /** Connections above which this backend is not chosen; Infinity for no limit. */
  readonly maxConnections: number
}
