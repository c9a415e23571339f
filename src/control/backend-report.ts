import type { ProbeResult } from '../health/probe.ts'

/** What is known of a backend beside the tables. Times are of the monotonic clock, but for `sinceMs`. */
export interface BackendReport {
  /** When its state became what it is, ms since 1970. */
  readonly sinceMs: number
  /** What its last check said; undefined where it is not checked, or was not yet. */
  readonly lastCheck: ProbeResult | undefined
  /** Where its checks connect, where that is elsewhere; empty otherwise. */
  readonly checkedAt: string
  /** Undefined where it is not ejected. */
  readonly ejectionEndsAtMs: number | undefined
  /** How the last connection failed before it was ejected; empty where it never was. */
  readonly failure: string
  /** When it has all of its share; undefined where it has. */
  readonly slowStartEndsAtMs: number | undefined
  /** When its live connections are ended; undefined where they are not. */
  readonly drainEndsAtMs: number | undefined
}

/** The same of one that was taken out of its upstream. */
export type RemovalReport = { readonly [key in 'sinceMs' | 'drainEndsAtMs']: BackendReport[key] | undefined }
