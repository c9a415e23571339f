import type { DiscoveryStatus } from '../discovery/discovery.ts'
import { formatAddress } from '../model/address.ts'
import { BACKUP_PRIORITY, type ServerConfig } from '../model/config.ts'
import { BackendCounter, type WorkerCounters } from '../shared/worker-counters.ts'
import type { BackendReport } from './backend-report.ts'
import type { LoadBalancer, Prepared } from './load-balancer.ts'
import type { BackendStateName, BackendStatus, DiscoveryState, UpstreamStatus } from './service.ts'
import { upstreamOfKey } from './snapshot-builder.ts'
import type { StickyStatus } from './sticky-persistence.ts'
import { weightiestOf } from './upstream-state.ts'
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
  const removed = removedBackends(balancer, health, served, sum)
  const serving = served.snapshot.upstreams.map(({ name, membership }, index): UpstreamStatus => {
    const config = served.config.upstreams[index]!
    const servers = served.members.get(name) ?? config.servers
    const discovery = health.discoveryStatus(name)
    const panics = health.health.panicsOf(name)
    const listed = new Set(config.servers.map(({ address }) => formatAddress(address)))
    const backends = membership.backends.map(
      (backend, position): BackendStatus => ({
        address: backend.name,
        ...describeServer(servers[position]!, balancer.table.state(backend.row), balancer.table.active(backend.row)),
        origin: listed.has(backend.name) ? 'file' : 'discovery',
        ...describeReport(health.health.report(name, backend.name)),
        ...describeCounts(balancer, backend.row, sum),
      }),
    )
    return {
      name,
      state: 'serving',
      balance: config.balance,
      ...describeSticky(health.stickyStatus(name)),
      ...(panics.length === 0 ? {} : { panics }),
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
function removedBackends(
  balancer: LoadBalancer,
  { health }: Upstreams,
  { used }: Prepared,
  sum: Sum,
): Map<string, BackendStatus[]> {
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
    known.push({ ...said, ...describeReport(health.removal(row)), ...describeCounts(balancer, row, sum) })
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

function describeState(state: number, isFull: boolean): BackendStateName {
  const name = weightiestOf(state)
  return name === 'up' && isFull ? 'full' : name
}

type ReportStatus = Pick<
  BackendStatus,
  'since' | 'check' | 'checkedAt' | 'ejectedUntil' | 'ejectionReason' | 'slowStartUntil' | 'connectionsEndAt'
>

/** What there is to say of a backend; nothing of one of which nothing is known. */
function describeReport(
  report: { readonly [key in keyof BackendReport]?: BackendReport[key] | undefined } = {},
): ReportStatus {
  const { sinceMs, lastCheck, checkedAt, ejectionEndsAtMs, failure, slowStartEndsAtMs, drainEndsAtMs } = report
  return {
    ...(sinceMs !== undefined && { since: new Date(sinceMs).toISOString() }),
    ...(lastCheck && { check: lastCheck.ok ? 'passed' : `${lastCheck.step}: ${lastCheck.reason}` }),
    ...(checkedAt && { checkedAt }),
    ...(ejectionEndsAtMs !== undefined && {
      ejectedUntil: wallTimeOf(ejectionEndsAtMs),
      ejectionReason: failure ?? '',
    }),
    ...(slowStartEndsAtMs !== undefined && { slowStartUntil: wallTimeOf(slowStartEndsAtMs) }),
    ...(drainEndsAtMs !== undefined && { connectionsEndAt: wallTimeOf(drainEndsAtMs) }),
  }
}

/** A time of the monotonic clock says nothing to anybody else. */
function wallTimeOf(monotonicMs: number): string {
  return wallTimeIn(monotonicMs - performance.now())
}

function describeSticky(status: StickyStatus | undefined): Pick<UpstreamStatus, 'sticky'> {
  if (status === undefined) return {}
  if (status.state !== 'failing') return { sticky: status }
  const { state, sinceMs, reason } = status
  return { sticky: { state, since: new Date(sinceMs).toISOString(), reason } }
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
    earlyResets: count(BackendCounter.earlyResets),
    bytesUp: count(BackendCounter.bytesUp),
    bytesDown: count(BackendCounter.bytesDown),
  }
}
