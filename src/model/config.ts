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
  /** Folder for what outlives the process: the last good members, sticky entries. `none` for nothing. */
  readonly state: { readonly directory: string }
  readonly limits: {
    readonly connections: number
    readonly pendingBytes: number
    /** Sticky clients of all upstreams that are remembered. Only that of the first configuration has an effect. */
    readonly stickyClients: number
  }
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

/** How a backend is chosen among those that can take a connection. */
export type BalanceAlgorithm =
  | 'round-robin'
  | 'least-connections'
  | 'random'
  | 'random-two'
  | 'source-hash'
  | 'least-latency'

export interface UpstreamConfig {
  readonly name: string
  readonly balance: BalanceAlgorithm
  /** Bits of a client's address that stand for it in source-hash and in sticky sessions. */
  readonly sourcePrefix: SourcePrefix
  /** Null where clients are not kept on their backend. */
  readonly sticky: StickyConfig | null
  readonly servers: readonly ServerConfig[]
  /** Null where all backends stand in the file. */
  readonly discovery: DiscoveryConfig | null
  readonly connect: { readonly timeoutMs: number; readonly attempts: number }
  /** Null where backends are not checked. */
  readonly health: HealthConfig | null
  /** Null where connections say nothing about a backend's health. */
  readonly outlier: OutlierConfig | null
  /** Time over which a backend that comes up gets its full share; 0: at once. */
  readonly slowStartMs: number
  /** Share of healthy backends, 0 to 1, below which health is ignored. */
  readonly panicThreshold: number
  readonly connections: {
    readonly onRemoved: ConnectionAction
    readonly onUnhealthy: ConnectionAction
    /** How long connections that drain may go on. */
    readonly drainMs: number
  }
}

export interface SourcePrefix {
  readonly ipv4: number
  readonly ipv6: number
}

/** What becomes of live connections: they stay, they are ended after a while, or at once. */
export type ConnectionAction = 'keep' | 'drain' | 'close'

/** What an operator says of a backend: serves, takes no new client, or is not even checked. */
export type ServerState = 'ready' | 'drain' | 'maintenance'

/** The priority of backups: below that of every other server. */
export const BACKUP_PRIORITY = 16

export interface ServerConfig {
  readonly address: SocketAddress
  /** 1 to 256. */
  readonly weight: number
  /** Infinity where the file says `unlimited`. */
  readonly maxConnections: number
  /** 0 to 15, lower first, or {@link BACKUP_PRIORITY}. */
  readonly priority: number
  readonly state: ServerState
  /** Where it stands; empty where nobody says. At most 64 characters, whichever those are. */
  readonly zone: string
}

export interface StickyConfig {
  /** Time without a connection after which a client is forgotten. */
  readonly ttlMs: number
  /** Where entries outlive the process: null where they need not. */
  readonly persist: { readonly path: string } | { readonly redis: RedisConfig; readonly key: string } | null
}

export interface HealthConfig {
  readonly type: 'tcp' | 'tls' | 'send-expect' | 'http' | 'redis' | 'postgres'
  readonly intervalMs: number
  /** Interval while a result differs from the state: on the way up or down. */
  readonly fastIntervalMs: number
  /** Interval while it is down. */
  readonly downIntervalMs: number
  /** Share of an interval, 0 to 1, by which checks are spread. */
  readonly jitter: number
  /** One whole check, connect to last step. */
  readonly timeoutMs: number
  readonly rise: number
  readonly fall: number
  /** Where the check connects, in place of the backend's own; null for that. */
  readonly host: string | null
  readonly port: number | null
  /** Header sent first, saying LOCAL. */
  readonly proxyProtocol: 'none' | 'v1' | 'v2'
  /** Null where the check does not speak TLS. `type: tls` always does. */
  readonly tls: ClientTlsConfig | null
  readonly steps: readonly HealthStep[]
  readonly http: {
    readonly method: string
    readonly path: string
    readonly host: string
    /** Inclusive ranges. */
    readonly status: readonly { readonly from: number; readonly to: number }[]
    /** Text that the body must contain; empty for any. */
    readonly body: string
  }
  readonly redis: { readonly role: 'any' | 'master' | 'replica'; readonly username: string; readonly password: string }
  readonly postgres: {
    readonly role: 'any' | 'primary' | 'standby'
    readonly user: string
    readonly database: string
    readonly password: string
  }
}

/** How a TLS server is verified. */
export interface ClientTlsConfig {
  /** SNI, and the name that the certificate must have; empty for the host that is connected to. */
  readonly serverName: string
  /** Path of PEM certificates to trust in place of the system's, or `system`. */
  readonly ca: string
  /** Whether the certificate is verified. */
  readonly verify: boolean
}

/** One step of send-expect, in order. */
export type HealthStep = { readonly send: Uint8Array } | { readonly expect: Uint8Array }

export interface OutlierConfig {
  /** Failures in a row after which a backend is ejected. */
  readonly consecutiveFailures: number
  /** A reset by the backend within this time of connecting, before it sent a byte, is a failure; 0: never. */
  readonly earlyResetMs: number
  /** Time of the first ejection; each further one lasts as much longer. */
  readonly ejectionMs: number
  readonly maxEjectionMs: number
  /** Share of the backends, 0 to 1, that may be ejected at once. */
  readonly maxShare: number
}

/** How a Redis is reached. Passwords stand in it: it is never logged whole. */
export interface RedisConfig {
  /** `redis://` or `rediss://`, with user, password and database. */
  readonly url: string
  /** Null where the URL's server is spoken to itself. */
  readonly sentinel: { readonly master: string; readonly nodes: readonly HostPort[]; readonly password: string } | null
  /** Nodes of a cluster besides the URL's; null where it is none. */
  readonly cluster: readonly HostPort[] | null
  readonly tls: ClientTlsConfig
}

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** What every kind of discovery has. */
export interface DiscoveryBase {
  /** How often the source is read. */
  readonly intervalMs: number
  readonly maxMembers: number
  /** Share of the members, 0 to 1, above which an update that removes them is held back. */
  readonly maxRemoval: number
  /** How long such an update must stay the same before it is believed all the same; Infinity for never. */
  readonly holdBackMs: number
  /** Members elsewhere are refused. Empty lists allow all. */
  readonly allow: {
    readonly networks: readonly string[]
    readonly ports: readonly { readonly from: number; readonly to: number }[]
  }
}

export type DiscoveryConfig =
  | (DiscoveryBase & { readonly type: 'redis-keys'; readonly redis: RedisConfig; readonly prefix: string })
  | (DiscoveryBase & {
      readonly type: 'redis-sorted-set'
      readonly redis: RedisConfig
      readonly key: string
      /** What a score is: when the member was last alive, when it ends, or nothing. */
      readonly score: 'heartbeat' | 'expiry' | 'ignored'
      /** Age of a heartbeat above which its member is gone. */
      readonly maxAgeMs: number
    })
  | (DiscoveryBase & {
      readonly type: 'dns'
      readonly host: string
      readonly record: 'address' | 'a' | 'aaaa' | 'srv'
      /** Port of addresses; SRV records bring their own. */
      readonly port: number
      /** `IP` or `IP:port` of servers to ask in place of the system's; empty for those. */
      readonly resolvers: readonly string[]
    })
  | (DiscoveryBase & { readonly type: 'file'; readonly path: string })
