import { describeError } from '../health/reason.ts'
import { errnoName } from '../kernel/errno.ts'
import { CauseCode } from '../model/cause.ts'
import { BACKUP_PRIORITY } from '../model/config.ts'
import type { Logger } from '../observe/logger.ts'
import type { EndedConnections } from './backend-drains.ts'
import { countBackends, type UpstreamHealth } from './upstream-state.ts'
import { wallTimeIn } from './wall-time.ts'

/** How connections to a backend failed: `connection refused`, or `reset before its first byte`. */
export function failureText({
  errno,
  wasConnected,
}: {
  readonly errno: number
  readonly wasConnected: boolean
}): string {
  return wasConnected ? 'reset before its first byte' : describeError(errnoName(errno))
}

/** A share as the file writes it: `50%`. */
function shareText(share: number): string {
  return `${Number((share * 100).toFixed(4))}%`
}

/** Who is left beside a backend that has just gone. */
export function leftFields(upstream: UpstreamHealth): { upLeft: number; backupsLeft: number } {
  const { up, backups } = countBackends(upstream)
  return { upLeft: up, backupsLeft: backups }
}

/** A backend of which connections failed, as log lines name it, and how the last of them did. */
export interface FailedBackend {
  readonly upstream: string
  readonly backend: string
  /** Live ones. */
  readonly connections: number
  readonly reason: string
}

/** Tells that a backend sits out from now on, for so long. */
export function logEjected(log: Logger, upstream: UpstreamHealth, failed: FailedBackend, durationMs: number): void {
  const { reason, ...place } = failed
  log.warn('A backend is ejected: connections to it failed', {
    ...place,
    failures: upstream.config.outlier?.consecutiveFailures,
    reason,
    until: wallTimeIn(durationMs),
    ...leftFields(upstream),
  })
}

/** Tells why a backend does not sit out, of `total` that could serve. */
export function logSpared(log: Logger, { config }: UpstreamHealth, failed: FailedBackend, total: number): void {
  if (total === 1) {
    log.warn('Not ejected: connections to it fail, but it is the only backend that could serve', { ...failed })
    return
  }
  const maxShare = shareText(config.outlier?.maxShare ?? 0)
  log.warn('Not ejected: connections to it fail, but maxShare of the backends is reached', { ...failed, maxShare })
}

/** Tells whether an upstream has backends at all, having `available` of them now; before, as it says itself. */
export function logAvailability(log: Logger, upstream: UpstreamHealth, available: number): void {
  const fields = { upstream: upstream.name }
  if (available > 0 && !upstream.hasAvailable) log.info('Backends are available', { ...fields, available })
  if (available > 0 || !upstream.hasAvailable) return
  const { down, ejected, drain, maintenance } = countBackends(upstream)
  log.error('No backend is left: new clients are turned away; `mcs-lb status` says why', {
    ...fields,
    ...{ down, ejected, drain, maintenance },
    onUnavailable: upstream.doors.map(({ name, onUnavailable }) => `${name}: ${onUnavailable}`),
  })
}

/** Tells when other backends than before come first, by their priority; null where none is available. */
export function logTier(log: Logger, { name, tier: before }: UpstreamHealth, now: number | null): void {
  if (now === null || before === null || now === before) return
  const fields = { upstream: name, priority: priorityText(now) }
  if (now === BACKUP_PRIORITY) log.warn('Backups serve now: no other backend is left', fields)
  else if (now > before) log.warn('Backends of a later priority serve now: none before them is left', fields)
  else log.info('Backends of an earlier priority serve again', fields)
}

/** Tells of groups that went into panic, or out of it. By priority: a change of members may move the bits of groups. */
export function logPanics(log: Logger, { name, panics: before }: UpstreamHealth, now: ReadonlySet<number>): void {
  const fieldsOf = (priority: number) => ({ upstream: name, priority: priorityText(priority) })
  for (const priority of now) {
    if (before.has(priority)) continue
    log.warn('Too few backends are healthy: connections go to all of them', fieldsOf(priority))
  }
  for (const priority of before) {
    if (!now.has(priority)) log.info('Enough backends are healthy again', fieldsOf(priority))
  }
}

/** Tells why live connections of a backend end. */
export function logEnded(
  log: Logger,
  { name, upstream }: { readonly name: string; readonly upstream: UpstreamHealth },
  { connections, cause, action, isAgain }: EndedConnections,
): void {
  const fields = { upstream: upstream.name, backend: name, connections }
  const level = isAgain ? 'debug' : 'info'
  if (cause === CauseCode.backendRemoved) {
    log[level]('Connections are ended: their backend was taken out of the upstream', { ...fields, onRemoved: action })
  } else log[level]('Connections are ended: their backend is down', { ...fields, onUnhealthy: action })
}

function priorityText(priority: number): number | 'backup' {
  return priority === BACKUP_PRIORITY ? 'backup' : priority
}
