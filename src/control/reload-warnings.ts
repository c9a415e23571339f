import type { DiscoveryStatus } from '../discovery/discovery.ts'
import type { SourceState } from '../discovery/discovery-log.ts'
import type { UpstreamConfig } from '../model/config.ts'
import type { Prepared } from './load-balancer.ts'
import type { StickyStatus } from './sticky-persistence.ts'

export interface ReloadWarning {
  /** For the log, which has the rest as fields. */
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
  /** All of it in one sentence. */
  readonly text: string
}

/** What a configuration serves, as far as warnings go. */
export type Served = Pick<Prepared, 'config' | 'members'>

/** What is known beside the configurations. */
export interface Standing {
  statusOf(upstream: string): Pick<DiscoveryStatus, 'state' | 'source' | 'reason' | 'members'> | undefined
  stickyStatusOf(upstream: string): StickyStatus | undefined
  /** How many clients the sticky table was made for. */
  readonly clientCapacity: number
}

const why: Readonly<Record<SourceState, string>> = {
  starting: 'its discovery has not answered yet',
  good: 'its discovery reads its source',
  empty: 'its discovery finds nobody',
  lost: 'its discovery has lost its source',
}

/**
 * A file may be good and serve nobody all the same: where it names a registry that is away, say. Tells of upstreams
 * without a backend, of those that have lost every one that discovery had found, of discoveries that find nobody now, of
 * sticky entries that are not saved, and of what waits for the next start.
 */
export function reloadWarnings(previous: Served | null, current: Served, standing: Standing): ReloadWarning[] {
  const upstreams = current.config.upstreams.flatMap((upstream) => {
    const status = standing.statusOf(upstream.name)
    const message = warningFor(upstream, previous, current) ?? warningOf(upstream.name, status)
    return message === null ? [] : [withReason(message, status)]
  })
  const sticky = current.config.upstreams.flatMap(({ name }) => stickyWarning(name, standing.stickyStatusOf(name)))
  return [...upstreams, ...sticky, ...capacityWarning(current.config.limits.stickyClients, standing.clientCapacity)]
}

function withReason(message: string, status: ReturnType<Standing['statusOf']>): ReloadWarning {
  if (status === undefined) return { message, fields: {}, text: message }
  const { state, source, reason } = status
  const text = `${message}: ${why[state]} (${source})${reason === '' ? '' : `: ${reason}`}`
  return { message, fields: { discovery: state, source, ...(reason !== '' && { reason }) }, text }
}

/** Backends may serve all the same: those of the file, and those that discovery believed before. */
function warningOf(upstream: string, status: ReturnType<Standing['statusOf']>): string | null {
  if (status === undefined || status.state === 'good') return null
  if (status.members === 0) return `Upstream "${upstream}" has the backends of the file alone`
  return `Upstream "${upstream}" has the backends that its discovery believed before`
}

function stickyWarning(upstream: string, status: StickyStatus | undefined): ReloadWarning[] {
  if (status === undefined || status.state === 'good') return []
  const message = `Upstream "${upstream}" has sticky entries that a restart would lose`
  const reason = status.state === 'failing' ? status.reason : 'their store has not answered yet'
  return [{ message, fields: { reason }, text: `${message}: ${reason}` }]
}

function capacityWarning(configured: number, inUse: number): ReloadWarning[] {
  if (configured === inUse) return []
  const message = 'limits.stickyClients takes effect at the next start'
  const text = `${message}: ${configured} in the file, ${inUse} in use`
  return [{ message, fields: { configured, inUse }, text }]
}

function warningFor(upstream: UpstreamConfig, previous: Served | null, current: Served): string | null {
  const { name } = upstream
  if (current.members.get(name)?.length === 0) return `Upstream "${name}" has no backend`
  const before = previous?.config.upstreams.find((other) => other.name === name)
  if (previous === null || before === undefined || foundIn(previous, before) === 0) return null
  if (upstream.discovery === null || foundIn(current, upstream) > 0) return null
  return `Upstream "${name}" has none of the backends any more that discovery had found`
}

/** How many backends of an upstream the file does not list. The file's come first. */
function foundIn({ members }: Served, { name, servers }: UpstreamConfig): number {
  return (members.get(name)?.length ?? 0) - servers.length
}
