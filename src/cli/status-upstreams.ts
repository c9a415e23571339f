import type { BackendStatus, ServiceStatus, UpstreamStatus } from '../control/service.ts'
import { BACKUP_PRIORITY } from '../model/config.ts'
import { type Cell, formatAge, formatBytes, formatTable } from './status-table.ts'

type Upstreams = ServiceStatus['upstreams']

/** The upstreams, their backends, and what there is to say of those that are not simply up. */
export function formatUpstreams(upstreams: Upstreams, nowMs: number): string[] {
  return [
    formatTable(
      ['UPSTREAM', 'BALANCE', 'BACKENDS UP', 'NOTE'],
      upstreams.map((upstream) => [
        upstream.name,
        upstream.balance || '-',
        upstream.state === 'removed' ? '-' : countUp(upstream),
        noteOf(upstream),
      ]),
    ),
    formatBackends(upstreams, nowMs),
    formatReasons(upstreams),
  ]
}

function countUp({ backends }: UpstreamStatus): string {
  const members = backends.filter(({ state }) => state !== 'removed')
  return `${members.filter(({ state }) => state === 'up' || state === 'full').length} of ${members.length}`
}

/** What holds for all backends of an upstream. */
function noteOf({ state, panics = [], sticky }: UpstreamStatus): string {
  const notes = [
    ...(state === 'removed' ? ['removed; connections are left'] : []),
    ...panics.map((priority) => `panic: ${describePriority(priority)} get connections whatever their health`),
    ...(sticky?.state === 'failing' ? [`sticky entries are not saved since ${sticky.since}: ${sticky.reason}`] : []),
    ...(sticky?.state === 'starting' ? ['saved sticky entries are not read yet'] : []),
  ]
  return notes.join('; ')
}

function describePriority(priority: number): string {
  return priority === BACKUP_PRIORITY ? 'backups' : `backends of priority ${priority}`
}

const backendHead = ['STATE', 'FOR', 'WEIGHT', 'PRIORITY', 'ACTIVE', 'MAX', 'TOTAL', 'FAILURES', 'UP', 'DOWN']
const emptyCells: readonly Cell[] = ['-', '-', '-', '-', 0, '-', '-', '-', '-', '-']

function formatBackends(upstreams: Upstreams, nowMs: number): string {
  const all = upstreams.flatMap(({ backends }) => backends)
  // Where nobody says where backends stand, or all are the file's, the column would say nothing.
  const hasZones = all.some(({ zone }) => zone !== undefined)
  const hasOrigins = all.some(({ origin }) => origin === 'discovery')
  const placeCells = ({ zone, origin }: Pick<BackendStatus, 'zone' | 'origin'>) => [
    ...(hasOrigins ? [origin ?? '-'] : []),
    ...(hasZones ? [zone ?? '-'] : []),
  ]
  const rows = upstreams.flatMap(({ name, state, backends }): Cell[][] => {
    const rows = backends.map((row) => [name, row.address, ...placeCells(row), ...backendCells(row, nowMs)])
    // An upstream that nobody serves is what one looks for first.
    const isEmpty = state === 'serving' && backends.every((row) => row.state === 'removed')
    return isEmpty ? [[name, 'none', ...placeCells({}), ...emptyCells], ...rows] : rows
  })
  const places = [...(hasOrigins ? ['FROM'] : []), ...(hasZones ? ['ZONE'] : [])]
  return formatTable(['UPSTREAM', 'BACKEND', ...places, ...backendHead], rows)
}

/** As {@link backendHead} has them. */
function backendCells(row: BackendStatus, nowMs: number): Cell[] {
  const isRemoved = row.state === 'removed'
  return [
    row.state,
    row.since === undefined ? '-' : formatAge(nowMs - Date.parse(row.since)),
    isRemoved ? '-' : row.weight,
    isRemoved ? '-' : row.backup ? 'backup' : row.priority,
    row.active,
    row.maxConnections ?? '-',
    row.connections,
    row.connectFailures + row.earlyResets,
    formatBytes(row.bytesUp),
    formatBytes(row.bytesDown),
  ]
}

/** Why backends are not, or not wholly, in use, and until when. */
function formatReasons(upstreams: Upstreams): string {
  const rows = upstreams.flatMap(({ name, backends }) =>
    backends
      .map((backend): Cell[] => [name, backend.address, backend.state, backend.since ?? '-', reasonsOf(backend)])
      .filter((cells) => cells.at(-1) !== ''),
  )
  return formatTable(['UPSTREAM', 'BACKEND', 'STATE', 'SINCE', 'WHY'], rows)
}

function reasonsOf(backend: BackendStatus): string {
  const { state, origin, check = 'passed', checkedAt, ejectedUntil, ejectionReason, slowStartUntil } = backend
  const checked = checkedAt === undefined ? '' : ` (checked at ${checkedAt})`
  const isByOperator = state === 'drain' || state === 'maintenance'
  const reasons = [
    ...(isByOperator ? [origin === 'discovery' ? 'its registration says so' : 'the file says so'] : []),
    ...(check === 'passed' ? [] : [`last check: ${check}${checked}`]),
    ...(ejectedUntil === undefined ? [] : [`ejected until ${ejectedUntil}: ${ejectionReason ?? 'unknown'}`]),
    ...(slowStartUntil === undefined ? [] : [`warming up until ${slowStartUntil}`]),
    ...endOf(backend),
  ]
  return reasons.join('; ')
}

function endOf({ state, connectionsEndAt }: BackendStatus): string[] {
  if (connectionsEndAt !== undefined) return [`its connections end at ${connectionsEndAt}`]
  return state === 'removed' ? ['its connections go on'] : []
}
