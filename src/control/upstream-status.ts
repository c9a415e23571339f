import type { DiscoveryStatus } from '../discovery/discovery.ts'
import type { ProbeResult } from '../health/probe.ts'
import { BACKUP_PRIORITY, type ServerConfig } from '../model/config.ts'
import { BackendState } from '../shared/backend-table.ts'
import { BackendCounter, type WorkerCounters } from '../shared/worker-counters.ts'
import type { LoadBalancer, Prepared } from './load-balancer.ts'
import type { BackendStateName, BackendStatus, DiscoveryState, UpstreamStatus } from './service.ts'
import { upstreamOfKey } from './snapshot-builder.ts'
import type { Upstreams } from './upstreams.ts'
import { wallTimeIn } from './wall-time.ts'

/** Adds up what every worker has counted. */
export type Sum = (read: (counters: WorkerCounters) => number) => number

/** The upstreams that are served, then those that are gone but for connections to their backends. */
export function describeUpstreams(
  balancer: LoadBalancer,
  health: Upstreams,
  served: Prepared,
  sum: Sum,
): UpstreamStatus[] {
  const removed = removedBackends(balancer, served, sum)
  const serving = served.snapshot.upstreams.map(({ name, membership }, index): UpstreamStatus => {
    const config = served.config.upstreams[index]!
    const servers = served.members.get(name) ?? config.servers
    const discovery = health.discoveryStatus(name)
    const backends = membership.backends.map(
      (backend, position): BackendStatus => ({
        address: backend.name,
        ...describeServer(servers[position]!, balancer.table.state(backend.row), balancer.table.active(backend.row)),
        ...describeCheck(health.lastCheck(name, backend.name)),
        ...describeEjection(health.ejectionEndsAtMs(name, backend.name)),
        ...describeCounts(balancer, backend.row, sum),
      }),
    )
    return {
      name,
      state: 'serving',
      balance: config.balance,
      ...(discovery === undefined ? {} : { discovery: describeDiscovery(discovery) }),
      backends: [...backends, ...(removed.get(name) ?? [])],
    }
  })
  const names = new Set(serving.map(({ name }) => name))
  const gone = [...removed].filter(([name]) => !names.has(name))
  return [
    ...serving,
    ...gone.map(([name, backends]): UpstreamStatus => ({ name, state: 'removed', balance: '', backends })),
  ]
}

/** By upstream: backends that the file or discovery has no more, as long as they hold connections. */
function removedBackends(balancer: LoadBalancer, { used }: Prepared, sum: Sum): Map<string, BackendStatus[]> {
  const removed = new Map<string, BackendStatus[]>()
  for (const { key, name, row } of balancer.rows.backends.owners()) {
    const upstream = upstreamOfKey(key)
    if (used.backends.get(upstream)?.has(key) === true || balancer.table.active(row) === 0) continue
    const known = removed.get(upstream) ?? []
    removed.set(upstream, known)
    const said = {
      address: name,
      state: 'removed',
      weight: 0,
      priority: 0,
      backup: false,
      maxConnections: null,
    } as const
    known.push({ ...said, ...describeCounts(balancer, row, sum) })
  }
  return removed
}

function describeServer(
  { weight, priority, maxConnections, zone }: ServerConfig,
  state: number,
  active: number,
): Pick<BackendStatus, 'state' | 'weight' | 'priority' | 'backup' | 'maxConnections' | 'zone'> {
  return {
    state: describeState(state, active >= maxConnections),
    weight,
    priority,
    backup: priority === BACKUP_PRIORITY,
    maxConnections: maxConnections === Number.POSITIVE_INFINITY ? null : maxConnections,
    ...(zone === '' ? {} : { zone }),
  }
}

/** The weightiest reason why a backend gets no new connection, or `up`. */
function describeState(state: number, isFull: boolean): BackendStateName {
  if ((state & BackendState.maintenance) !== 0) return 'maintenance'
  if ((state & BackendState.draining) !== 0) return 'drain'
  if ((state & BackendState.down) !== 0) return 'down'
  if ((state & BackendState.ejected) !== 0) return 'ejected'
  return isFull ? 'full' : 'up'
}

function describeCheck(result: ProbeResult | undefined): { check?: string } {
  if (result === undefined) return {}
  return { check: result.ok ? 'passed' : `${result.step}: ${result.reason}` }
}

/** `endsAtMs` is a time of the monotonic clock, which says nothing to anybody else. */
function describeEjection(endsAtMs: number | undefined): { ejectedUntil?: string } {
  if (endsAtMs === undefined) return {}
  return { ejectedUntil: wallTimeIn(endsAtMs - performance.now()) }
}

function describeDiscovery({ heldBack, ...status }: DiscoveryStatus): DiscoveryState {
  if (heldBack === null) return { ...status, heldBack }
  const { members, remainingMs } = heldBack
  return { ...status, heldBack: { members, remainingMs: Number.isFinite(remainingMs) ? remainingMs : null } }
}

function describeCounts(balancer: LoadBalancer, row: number, sum: Sum) {
  const count = (field: number) => sum((counters) => counters.readBackend(row, field))
  return {
    active: balancer.table.active(row),
    connections: count(BackendCounter.connections),
    connectFailures: count(BackendCounter.connectFailures),
    bytesUp: count(BackendCounter.bytesUp),
    bytesDown: count(BackendCounter.bytesDown),
  }
}
