import { EjectionPolicy } from '../health/outlier.ts'
import { checkedAddress } from '../health/probe.ts'
import { SlowStart } from '../health/slow-start.ts'
import { formatAddress, type SocketAddress } from '../model/address.ts'
import {
  BACKUP_PRIORITY,
  type ListenerConfig,
  type ServerConfig,
  type ServerState,
  type UpstreamConfig,
} from '../model/config.ts'
import { BackendState } from '../shared/backend-table.ts'

/** The weightiest reason why a backend gets no new connection, or `up`. */
export type HealthState = 'up' | 'down' | 'ejected' | 'drain' | 'maintenance'

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
  /** How the last connection failed before it was ejected; empty where it never was. */
  failure: string
  /** Where its checks connect, where that is elsewhere; empty otherwise. */
  checkedAt: string
  /** What it was when its state was last published, and since when, ms since 1970. */
  state: HealthState
  sinceMs: number
}

/** A listener that leads to an upstream, and what its clients meet where no backend is left. */
export type Door = Pick<ListenerConfig, 'name' | 'onUnavailable'>

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
  /** The first priority that had an available backend when one last had; null before the first. */
  tier: number | null
  doors: readonly Door[]
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
    tier: null,
    doors: [],
  }
}

/** Follows another configuration; what is known goes on. */
export function configureUpstream(upstream: UpstreamHealth, config: UpstreamConfig): void {
  const { outlier, slowStartMs } = config
  upstream.config = config
  upstream.ejections = outlier === null ? null : new EjectionPolicy(outlier, upstream.ejections)
  upstream.slowStart = new SlowStart(slowStartMs, upstream.slowStart.started())
}

/** One of which nothing is known yet. */
export function createBackendHealth(
  identity: Pick<BackendHealth, 'key' | 'name' | 'row' | 'id'>,
  upstream: UpstreamHealth,
): BackendHealth {
  return {
    ...identity,
    upstream,
    operator: 'ready',
    isDown: false,
    isEjected: false,
    failure: '',
    checkedAt: '',
    state: 'up',
    sinceMs: Date.now(),
  }
}

/** Follows what the file, or the registry, says of it now. */
export function configureBackend(backend: BackendHealth, upstream: UpstreamHealth, server: ServerConfig): void {
  backend.upstream = upstream
  backend.operator = server.state
  backend.checkedAt = elsewhere(server.address, upstream.config.health)
}

/** Where checks of an address connect; empty where that is the address itself. */
function elsewhere(address: SocketAddress, health: UpstreamConfig['health']): string {
  if (health === null) return ''
  const checked = formatAddress(checkedAddress(address, health))
  return checked === formatAddress(address) ? '' : checked
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

/** The weightiest of the bits of {@link stateOf}. */
export function weightiestOf(state: number): HealthState {
  if ((state & BackendState.maintenance) !== 0) return 'maintenance'
  if ((state & BackendState.draining) !== 0) return 'drain'
  if ((state & BackendState.down) !== 0) return 'down'
  return (state & BackendState.ejected) !== 0 ? 'ejected' : 'up'
}

/** How many backends are in which state; those that are up are `backups`, or `up` where they are none. */
export function countBackends({ groups }: UpstreamHealth): Readonly<Record<HealthState | 'backups', number>> {
  const counts = { up: 0, backups: 0, down: 0, ejected: 0, drain: 0, maintenance: 0 }
  for (const { priority, backends } of groups) {
    for (const backend of backends) {
      const state = weightiestOf(stateOf(backend))
      counts[state === 'up' && priority === BACKUP_PRIORITY ? 'backups' : state]++
    }
  }
  return counts
}

/** Whether fewer than the threshold's share of a group's backends are healthy, and how many may get connections. */
export function assess({ backends }: HealthGroup, panicThreshold: number): { inPanic: boolean; available: number } {
  const wanted = backends.filter(({ operator }) => operator === 'ready')
  const healthy = wanted.filter(({ isDown, isEjected }) => !isDown && !isEjected)
  const inPanic = healthy.length < wanted.length * panicThreshold
  return { inPanic, available: inPanic ? wanted.length : healthy.length }
}
