import type { BackendStatus, DiscoveryState, ServiceStatus } from '../control/service.ts'
import { harmless } from './harmless.ts'

type Cell = string | number

/** Columns of figures. */
const rightAligned = new Set([
  'WEIGHT',
  'PRIORITY',
  'ACTIVE',
  'MAX',
  'ACCEPTED',
  'TURNED AWAY',
  'CONNECTIONS',
  'FAILURES',
  'MEMBERS',
  'FOUND',
  'RESTARTS',
  'UP',
  'DOWN',
])

/** What others wrote into a reason may be long; `--json` has the whole of it. */
const maxReasonCharacters = 160

/** The status as `mcs-lb status` prints it: a few lines on the process, then one table for each kind of thing. */
export function formatStatus(status: ServiceStatus): string {
  return [
    formatProcess(status),
    formatTable(
      ['LISTENER', 'ADDRESS', 'UPSTREAM', 'ACTIVE', 'ACCEPTED', 'TURNED AWAY', 'UP', 'DOWN'],
      status.listeners.map((row) => [
        row.name,
        row.state === 'closed' ? 'closed' : row.addresses.join(' '),
        row.upstream || '-',
        row.active,
        row.accepted,
        row.turnedAway,
        formatBytes(row.bytesUp),
        formatBytes(row.bytesDown),
      ]),
    ),
    formatBackends(status),
    formatTroubles(status),
    formatDiscoveries(status),
    formatTable(
      ['WORKER', 'STATE', 'CONNECTIONS', 'ACCEPTED', 'RESTARTS'],
      status.workers.map((row) => [`${row.id}`, row.state, row.connections, row.accepted, row.restarts]),
    ),
    formatTable(
      ['GENERATION', 'CONNECTIONS'],
      status.generations.map((row) => [`${row.generation}`, row.connections]),
    ),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

function formatProcess(status: ServiceStatus): string {
  const { lastReload, connections, descriptors, accessLog, drain } = status
  const state =
    drain === undefined
      ? `${status.state} since ${status.startedAt}`
      : `started ${status.startedAt}, draining since ${drain.since}, ends by ${drain.endsBy}`
  return [
    `mcs-lb ${status.version}, pid ${status.pid}, ${state}`,
    `file         ${status.configFile}, generation ${status.generation}`,
    `last reload  ${lastReload.result} (${lastReload.trigger}, ${Math.round(lastReload.durationMs)} ms) at ${lastReload.at}`,
    `connections  ${connections.active} active of ${connections.limit}, ${connections.total} in all`,
    `descriptors  ${descriptors.open} open of ${descriptors.limit}, room for ${descriptors.capacity} connections`,
    `access log   ${accessLog.written} written, ${accessLog.dropped} dropped`,
  ].join('\n')
}

const backendHead = ['STATE', 'WEIGHT', 'PRIORITY', 'ACTIVE', 'MAX', 'CONNECTIONS', 'FAILURES', 'UP', 'DOWN']
const emptyCells: readonly Cell[] = ['-', '-', '-', 0, '-', '-', '-', '-', '-']

function formatBackends({ upstreams }: ServiceStatus): string {
  // Where nobody says where backends stand, the column would be empty.
  const hasZones = upstreams.some(({ backends }) => backends.some(({ zone }) => zone !== undefined))
  const zoneCell = (zone = '-') => (hasZones ? [zone] : [])
  const rows = upstreams.flatMap(({ name, balance, state, backends }): Cell[][] => {
    const upstream = [name, state === 'removed' ? '-' : balance]
    const rows = backends.map((row) => [...upstream, row.address, ...zoneCell(row.zone), ...backendCells(row)])
    // An upstream that nobody serves is what one looks for first.
    const isEmpty = state === 'serving' && backends.every((row) => row.state === 'removed')
    return isEmpty ? [[...upstream, 'none', ...zoneCell(), ...emptyCells], ...rows] : rows
  })
  return formatTable(['UPSTREAM', 'BALANCE', 'BACKEND', ...(hasZones ? ['ZONE'] : []), ...backendHead], rows)
}

/** As {@link backendHead} has them. */
function backendCells(row: BackendStatus): Cell[] {
  const isRemoved = row.state === 'removed'
  return [
    row.state,
    isRemoved ? '-' : row.weight,
    isRemoved ? '-' : row.backup ? 'backup' : row.priority,
    row.active,
    row.maxConnections ?? '-',
    row.connections,
    row.connectFailures,
    formatBytes(row.bytesUp),
    formatBytes(row.bytesDown),
  ]
}

/** What the checks of backends that are not well have found, and how long others sit out. */
function formatTroubles({ upstreams }: ServiceStatus): string {
  const all = upstreams.flatMap(({ name, backends }) => backends.map((backend) => ({ name, ...backend })))
  const checked = all.filter(({ check = 'passed' }) => check !== 'passed')
  const ejected = all.filter(({ ejectedUntil }) => ejectedUntil !== undefined)
  return [
    formatTable(
      ['UPSTREAM', 'BACKEND', 'LAST CHECK'],
      checked.map(({ name, address, check }) => [name, address, check!]),
    ),
    formatTable(
      ['UPSTREAM', 'BACKEND', 'EJECTED UNTIL'],
      ejected.map(({ name, address, ejectedUntil }) => [name, address, ejectedUntil!]),
    ),
  ]
    .filter((table) => table !== '')
    .join('\n\n')
}

/** What each discovery believes, and why. */
function formatDiscoveries({ upstreams }: ServiceStatus): string {
  const rows = upstreams.flatMap(({ name, discovery }) => {
    if (discovery === undefined) return []
    const { type, state, members, found, lastGoodReadMs } = discovery
    const lastGood = lastGoodReadMs === null ? 'never' : new Date(lastGoodReadMs).toISOString()
    return [[name, type, state, members, found, lastGood, cut(discovery.source), describeDiscovery(discovery)]]
  })
  return formatTable(['UPSTREAM', 'DISCOVERY', 'STATE', 'MEMBERS', 'FOUND', 'LAST GOOD READ', 'SOURCE', 'WHY'], rows)
}

function describeDiscovery({ reason, restored, heldBack, refused }: DiscoveryState): string {
  const counts = Object.entries(refused).map(([why, count]) => `${count} ${why}`)
  return [
    ...(reason === '' ? [] : [cut(reason)]),
    ...(restored ? ['members are those believed before'] : []),
    ...(heldBack === null ? [] : [`removal of ${heldBack.members} held back ${formatHold(heldBack.remainingMs)}`]),
    ...(counts.length === 0 ? [] : [`refused: ${counts.join(', ')}`]),
  ].join('; ')
}

function formatHold(remainingMs: number | null): string {
  return remainingMs === null ? 'for ever (holdBack: never)' : `for ${Math.ceil(remainingMs / 1000)} s`
}

function cut(text: string): string {
  return text.length <= maxReasonCharacters ? text : `${text.slice(0, maxReasonCharacters)}…`
}

/** `999 B`, `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

/** Columns as wide as their widest cell, two blanks apart; empty where there are no rows. */
function formatTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  if (rows.length === 0) return ''
  const table = [head, ...rows].map((row) => row.map((cell) => harmless(`${cell}`)))
  const widths = head.map((_, column) => table.reduce((widest, row) => Math.max(widest, row[column]!.length), 0))
  const isRight = head.map((title) => rightAligned.has(title))
  return table
    .map((row) =>
      row
        .map((cell, column) => (isRight[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
