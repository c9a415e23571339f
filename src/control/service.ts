import type { LoadedConfig } from '../config/load.ts'
import type { DiscoveryStatus } from '../discovery/discovery.ts'

/** What the signal handlers, the watcher and the admin API may ask of the running program. */
export interface Service {
  /** Reads the file again and serves it. Never rejects: a refused file is an answer. */
  reload(trigger: ReloadTrigger): Promise<ReloadResult>
  status(): Promise<ServiceStatus>
  /** Opens the log files again under their names (logrotate). Rejects with MCS_LOG_UNWRITABLE. */
  reopenLogs(): Promise<void>
}

export type ReloadTrigger = 'start' | 'file' | 'signal' | 'admin'

export type ReloadResult =
  | {
      readonly outcome: 'serving'
      readonly generation: number
      readonly durationMs: number
      /** Sentences on what was served all the same. */
      readonly warnings: readonly string[]
    }
  /** The file says what is already served. The warnings are those that hold now. */
  | {
      readonly outcome: 'unchanged'
      readonly generation: number
      /** When that generation began to serve, ISO 8601. */
      readonly since: string
      readonly warnings: readonly string[]
    }
  /** Nothing was changed; `generation` is the one that goes on serving. */
  | { readonly outcome: 'refused'; readonly generation: number; readonly errors: readonly ReloadFault[] }

/** A fault as `mcs-lb reload` prints it; the place is absent where the fault is not in the file. */
export interface ReloadFault {
  readonly code: string
  readonly message: string
  readonly hint: string
  readonly file?: string
  readonly line?: number
  readonly column?: number
  readonly path?: string
}

export interface ReloadRefusal {
  readonly trigger: ReloadTrigger
  readonly at: string
  /** The first of its faults, and how many there were. */
  readonly errors: readonly ReloadFault[]
  readonly errorCount: number
}

export interface ServiceStatus {
  readonly version: string
  readonly pid: number
  readonly startedAt: string
  readonly configFile: string
  readonly state: 'starting' | 'serving' | 'draining'
  /** While it drains: when that began, and when what is still open then is ended. ISO 8601. */
  readonly drain?: { readonly since: string; readonly endsBy: string }
  /** Of the file that was served last. */
  readonly generation: number
  /** When it began to serve, ISO 8601. Absent before the first. */
  readonly generationSince?: string
  /** The last reload that was refused, if no other file has served since. */
  readonly lastRefusal?: ReloadRefusal
  readonly lastReload: {
    readonly trigger: ReloadTrigger
    readonly at: string
    readonly result: ReloadResult['outcome']
    readonly durationMs: number
  }
  readonly descriptors: { readonly limit: number; readonly open: number; readonly capacity: number }
  readonly connections: { readonly active: number; readonly total: number; readonly limit: number }
  /** Connections by the generation they were accepted under; generations without any are left out. */
  readonly generations: readonly { readonly generation: number; readonly connections: number }[]
  readonly workers: readonly {
    readonly id: number
    readonly state: 'serving' | 'retiring'
    readonly connections: number
    readonly accepted: number
    readonly restarts: number
  }[]
  readonly listeners: readonly {
    readonly name: string
    /** `closed`: it accepts no more, for the file has it no more or the process drains, but it has connections left. */
    readonly state: 'serving' | 'closed'
    /** Empty for one that is closed. */
    readonly addresses: readonly string[]
    /** Empty for one that is closed. */
    readonly upstream: string
    readonly active: number
    readonly accepted: number
    /** Clients for whom no backend was reached. */
    readonly turnedAway: number
    readonly bytesUp: number
    readonly bytesDown: number
  }[]
  readonly upstreams: readonly UpstreamStatus[]
  readonly accessLog: { readonly written: number; readonly dropped: number }
}

export interface UpstreamStatus {
  readonly name: string
  /** `removed`: the file has it no more, but some of its backends still hold connections. */
  readonly state: 'serving' | 'removed'
  /** Empty for one that is removed. */
  readonly balance: string
  /** Priorities in panic: health is ignored there. Absent where there are none. */
  readonly panics?: readonly number[]
  /**
   * The store in which its sticky entries outlive the process. Absent where they do not. `starting`: what was saved has
   * not been read yet; `failing`: since when nothing is saved, ISO 8601, and why.
   */
  readonly sticky?:
    | { readonly state: 'starting' | 'good' }
    | { readonly state: 'failing'; readonly since: string; readonly reason: string }
  /** Where its backends come from besides the file. */
  readonly discovery?: DiscoveryState
  readonly backends: readonly BackendStatus[]
}

/** As discovery tells it; `remainingMs` is null where an update is held back for ever, for JSON has no Infinity. */
export type DiscoveryState = Omit<DiscoveryStatus, 'heldBack'> & {
  readonly heldBack: { readonly members: number; readonly remainingMs: number | null } | null
}

export interface BackendStatus {
  readonly address: string
  readonly state: BackendStateName
  /** Since when, ISO 8601; `full` counts as `up`. Absent where that is not known. */
  readonly since?: string
  /** Who names it, and with it its state where that is `drain` or `maintenance`. Absent for one that is removed. */
  readonly origin?: 'file' | 'discovery'
  /** 0 for one that is removed, as its priority. */
  readonly weight: number
  readonly priority: number
  /** Whether it is used only when no other can be; its priority comes after all others. */
  readonly backup: boolean
  /** Null where it is not limited. */
  readonly maxConnections: number | null
  /** Absent where nobody says. */
  readonly zone?: string
  /** What its last check said: `passed`, or the step that failed and why. Absent where it is not checked. */
  readonly check?: string
  /** Where its checks connect. Absent where that is the backend itself. */
  readonly checkedAt?: string
  /** When its ejection ends, ISO 8601, and how the last connection before it failed. Absent where it is not ejected. */
  readonly ejectedUntil?: string
  readonly ejectionReason?: string
  /** When slow start has given it all of its share, ISO 8601. Absent where it has it. */
  readonly slowStartUntil?: string
  /** When its live connections are ended, ISO 8601. Absent where they may go on. */
  readonly connectionsEndAt?: string
  readonly active: number
  readonly connections: number
  readonly connectFailures: number
  /** Connections that were reset before their first byte; counted with `earlyReset` only. */
  readonly earlyResets: number
  readonly bytesUp: number
  readonly bytesDown: number
}

/**
 * Whether a backend gets new connections, or why not. `full`: it is up and has maxConnections. `removed`: it is no
 * backend any more, and stays in the status until its last connection has ended.
 */
export type BackendStateName = 'up' | 'full' | 'down' | 'ejected' | 'drain' | 'maintenance' | 'removed'

/** Reads, validates and resolves a file, or throws ConfigError. Handed to control so that it knows no YAML. */
export type LoadConfig = (file: string) => Promise<LoadedConfig>
