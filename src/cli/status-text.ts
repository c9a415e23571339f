import { faultText } from '../control/reload-log.ts'
import type { DiscoveryState, ServiceStatus } from '../control/service.ts'
import { harmless } from './harmless.ts'
import { formatBytes, formatTable } from './status-table.ts'
import { formatUpstreams } from './status-upstreams.ts'

/** What others wrote into a reason may be long; `--json` has the whole of it. */
const maxReasonCharacters = 160

/** The status as `mcs-lb status` prints it: a few lines on the process, then one table for each kind of thing; ages are as of `nowMs`, ms since 1970. */
export function formatStatus(status: ServiceStatus, nowMs = Date.now()): string {
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
    ...formatUpstreams(status.upstreams, nowMs),
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
    `file         ${status.configFile}, generation ${status.generation}${status.generationSince === undefined ? '' : ` since ${status.generationSince}`}`,
    `last reload  ${lastReload.result} (${lastReload.trigger}, ${Math.round(lastReload.durationMs)} ms) at ${lastReload.at}`,
    ...formatRefusal(status),
    `connections  ${connections.active} active of ${connections.limit}, ${connections.total} in all`,
    `descriptors  ${descriptors.open} open of ${descriptors.limit}, room for ${descriptors.capacity} connections in all`,
    `access log   ${accessLog.written} written, ${accessLog.dropped} dropped`,
  ]
    .map(harmless)
    .join('\n')
}

/** A refusal is shown until another file serves: whoever put the former file back may have lost the edit. */
function formatRefusal({ configFile, lastReload, lastRefusal }: ServiceStatus): string[] {
  if (lastRefusal === undefined) return []
  const { trigger, at, errors, errorCount } = lastRefusal
  const first = errors[0] === undefined ? 'unknown' : cut(faultText(errors[0]))
  const remedy = lastReload.result === 'refused' ? `; mcs-lb check --config ${configFile} shows all` : ''
  const count = errorCount > 1 ? ` (1 of ${errorCount})` : ''
  return [`last refusal ${trigger}, at ${at}: ${first}${count}${remedy}`]
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
