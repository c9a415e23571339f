import { EjectionPolicy } from '../health/outlier.ts'
import { SlowStart } from '../health/slow-start.ts'
import type { ServerState, UpstreamConfig } from '../model/config.ts'
import { BackendState } from '../shared/backend-table.ts'

/** What is said of one backend. The file's own word is in `operator`. */
export interface BackendHealth {
  readonly key: string
  readonly name: string
  readonly row: number
  readonly id: number
  upstream: UpstreamHealth
  operator: ServerState
  isDown: boolean
  isEjected: boolean
}

/** Backends of one priority. */
export interface HealthGroup {
  readonly priority: number
  readonly backends: readonly BackendHealth[]
}

/** What is known of an upstream over reloads and changes of members. */
export interface UpstreamHealth {
  readonly name: string
  config: UpstreamConfig
  row: number
  /** In the order of the membership's. */
  groups: readonly HealthGroup[]
  /** Null where connections say nothing of their backends. */
  ejections: EjectionPolicy | null
  slowStart: SlowStart
  hasAvailable: boolean
  /** Priorities in panic. */
  panics: ReadonlySet<number>
}

/** One of which nothing is known yet. */
export function createUpstreamHealth(config: UpstreamConfig): UpstreamHealth {
  return {
    name: config.name,
    config,
    row: 0,
    groups: [],
    ejections: null,
    slowStart: new SlowStart(config.slowStartMs),
    hasAvailable: true,
    panics: new Set(),
  }
}

/** Follows another configuration; what is known goes on. */
export function configureUpstream(upstream: UpstreamHealth, config: UpstreamConfig): void {
  const { outlier, slowStartMs } = config
  upstream.config = config
  upstream.ejections = outlier === null ? null : new EjectionPolicy(outlier, upstream.ejections)
  upstream.slowStart = new SlowStart(slowStartMs, upstream.slowStart.started())
}

/** The bits of a backend in the table. */
export function stateOf({ operator, isDown, isEjected }: BackendHealth): number {
  let state = 0
  if (operator === 'drain') state |= BackendState.draining
  if (operator === 'maintenance') state |= BackendState.maintenance
  if (isDown) state |= BackendState.down
  if (isEjected) state |= BackendState.ejected
  return state
}

/** Whether neither the operator nor its checks forbid that it serves. */
export function mayServe({ operator, isDown }: BackendHealth): boolean {
  return operator === 'ready' && !isDown
}

/** Whether fewer than the threshold's share of a group's backends are healthy, and how many may get connections. */
export function assess({ backends }: HealthGroup, panicThreshold: number): { inPanic: boolean; available: number } {
  const wanted = backends.filter(({ operator }) => operator === 'ready')
  const healthy = wanted.filter(({ isDown, isEjected }) => !isDown && !isEjected)
  const inPanic = healthy.length < wanted.length * panicThreshold
  return { inPanic, available: inPanic ? wanted.length : healthy.length }
}
