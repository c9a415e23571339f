import type { SocketAddress } from './address.ts'

/**
 * The validated file, with defaults filled in, units resolved and paths absolute. It is what `config/` hands to the
 * rest of the program. Durations are milliseconds and sizes bytes; `unlimited` is Infinity.
 */
export interface Config {
  /** Number of worker threads; `auto` is already resolved to the CPUs this process may use. */
  readonly workers: number
  readonly log: LogConfig
  readonly accessLog: AccessLogConfig
  /** Path of the admin socket, or `none`. */
  readonly admin: { readonly socket: string }
  readonly reload: { readonly watch: boolean; readonly debounceMs: number }
  readonly shutdown: { readonly drainMs: number }
  readonly limits: { readonly connections: number; readonly pendingBytes: number }
  /** In the order of the file. */
  readonly listeners: readonly ListenerConfig[]
  /** In the order of the file. */
  readonly upstreams: readonly UpstreamConfig[]
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug'

export interface LogConfig {
  readonly level: LogLevel
  readonly format: 'json' | 'text'
}

export interface AccessLogConfig {
  /** `stdout`, `none`, or an absolute path. */
  readonly to: string
  readonly format: 'json' | 'tcplog'
}

/** What a client meets when no backend can be reached. */
export type UnavailableAction = 'reset' | 'close' | 'http-503'

export interface ListenerConfig {
  readonly name: string
  readonly bind: readonly SocketAddress[]
  /** `keepAliveMs` is Infinity where the file says `none`: TCP then never probes. */
  readonly socket: { readonly backlog: number; readonly keepAliveMs: number }
  readonly timeouts: { readonly idleMs: number; readonly halfClosedMs: number; readonly maxDurationMs: number }
  /** Name of an upstream that exists. */
  readonly upstream: string
  readonly onUnavailable: UnavailableAction
}

export interface UpstreamConfig {
  readonly name: string
  readonly balance: 'round-robin'
  readonly servers: readonly ServerConfig[]
  readonly connect: { readonly timeoutMs: number; readonly attempts: number }
}

export interface ServerConfig {
  readonly address: SocketAddress
  /** 1 to 256. */
  readonly weight: number
  /** Infinity where the file says `unlimited`. */
  readonly maxConnections: number
}
