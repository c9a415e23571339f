import type { ServiceStatus } from '../control/service.ts'

type Cell = string | number

/** Columns of figures. */
const rightAligned = new Set(['WEIGHT', 'ACTIVE', 'ACCEPTED', 'CONNECTIONS', 'FAILURES', 'RESTARTS', 'UP', 'DOWN'])

/** The status as `mcs-lb status` prints it: a few lines on the process, then one table for each kind of thing. */
export function formatStatus(status: ServiceStatus): string {
  return [
    formatProcess(status),
    formatTable(
      ['LISTENER', 'ADDRESS', 'UPSTREAM', 'ACTIVE', 'ACCEPTED', 'UP', 'DOWN'],
      status.listeners.map((row) => [
        row.name,
        row.addresses.join(' '),
        row.upstream,
        row.active,
        row.accepted,
        formatBytes(row.bytesUp),
        formatBytes(row.bytesDown),
      ]),
    ),
    formatBackends(status),
    formatChecks(status),
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
  const { lastReload, connections, descriptors, accessLog } = status
  return [
    `mcs-lb ${status.version}, pid ${status.pid}, ${status.state} since ${status.startedAt}`,
    `file         ${status.configFile}, generation ${status.generation}`,
    `last reload  ${lastReload.result} (${lastReload.trigger}, ${Math.round(lastReload.durationMs)} ms) at ${lastReload.at}`,
    `connections  ${connections.active} active of ${connections.limit}, ${connections.total} in all`,
    `descriptors  ${descriptors.open} open of ${descriptors.limit}, room for ${descriptors.capacity} connections`,
    `access log   ${accessLog.written} written, ${accessLog.dropped} dropped`,
  ].join('\n')
}

function formatBackends({ upstreams }: ServiceStatus): string {
  const rows = upstreams.flatMap((upstream) =>
    upstream.backends.map((row) => [
      upstream.name,
      upstream.balance,
      row.address,
      row.state,
      row.weight,
      row.active,
      row.connections,
      row.connectFailures,
      formatBytes(row.bytesUp),
      formatBytes(row.bytesDown),
    ]),
  )
  return formatTable(
    ['UPSTREAM', 'BALANCE', 'BACKEND', 'STATE', 'WEIGHT', 'ACTIVE', 'CONNECTIONS', 'FAILURES', 'UP', 'DOWN'],
    rows,
  )
}

/** What the checks of backends that are not well have found. */
function formatChecks({ upstreams }: ServiceStatus): string {
  const rows = upstreams.flatMap(({ name, backends }) =>
    backends.flatMap(({ address, check = 'passed' }) => (check === 'passed' ? [] : [[name, address, check]])),
  )
  return formatTable(['UPSTREAM', 'BACKEND', 'LAST CHECK'], rows)
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
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => `${row[column]}`.length)))
  const isRight = head.map((title) => rightAligned.has(title))
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) =>
          isRight[column] ? `${cell}`.padStart(widths[column] ?? 0) : `${cell}`.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
