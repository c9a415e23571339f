import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatAge, formatBytes } from '#src/cli/status-table.js'
import { formatStatus } from '#src/cli/status-text.js'
import type { BackendStatus, DiscoveryState, ServiceStatus } from '#src/control/service.js'
import { sampleStatus } from '../admin/fake-service.ts'

test('formatStatus() aligns what it prints', () => {
  assert.equal(
    formatStatus(sampleStatus, Date.UTC(2025, 0, 3, 1)),
    `mcs-lb 0.1.0, pid 4711, serving since 2025-01-01T00:00:00.000Z
file         /etc/mcs-lb/lb.yaml, generation 3 since 2025-01-02T00:00:00.000Z
last reload  serving (admin, 12 ms) at 2025-01-02T00:00:00.000Z
connections  7 active of 500, 1234 in all
descriptors  40 open of 1024, room for 500 connections in all
access log   1227 written, 0 dropped

LISTENER  ADDRESS        UPSTREAM  ACTIVE  ACCEPTED  TURNED AWAY       UP     DOWN
edge      0.0.0.0:64400  chat           7      1234            5  2.0 KiB  5.0 MiB

UPSTREAM  BALANCE      BACKENDS UP  NOTE
chat      round-robin  1 of 1

UPSTREAM  BACKEND        STATE   FOR  WEIGHT  PRIORITY  ACTIVE   MAX  TOTAL  FAILURES       UP   DOWN
chat      10.0.0.1:9100  up     2d1h       2         0       7  1000   1230         4  2.0 KiB  999 B

WORKER  STATE    CONNECTIONS  ACCEPTED  RESTARTS
0       serving            7      1234         1

GENERATION  CONNECTIONS
2                     3
3                     4`,
  )
})

test('formatStatus() leaves out tables without rows', () => {
  const text = formatStatus({ ...sampleStatus, listeners: [], upstreams: [], workers: [], generations: [] })
  assert.doesNotMatch(text, /LISTENER|BACKEND|WORKER|GENERATION|\n\n/)
})

const discovery = {
  type: 'redis-keys',
  state: 'good',
  source: 'keys "a*" at redis://h:1',
  reason: '',
  lastGoodReadMs: Date.UTC(2025, 0, 2),
  members: 3,
  found: 3,
  restored: false,
  heldBack: null,
  refused: {},
} as const satisfies DiscoveryState
const [backend = assert.fail()] = sampleStatus.upstreams[0]!.backends

/** The lines of the table whose head begins so, the head left out; blanks between columns are one. */
function tableOf(status: ServiceStatus, head: string): string[] {
  const table = formatStatus(status, Date.UTC(2025, 0, 1, 0, 0, 41))
    .split('\n\n')
    .find((part) => part.replace(/ +/g, ' ').startsWith(head))
  return (table ?? '')
    .split('\n')
    .slice(1)
    .map((line) => line.replace(/ +/g, ' '))
}

test('formatStatus() tells what each discovery believes and why, also of an upstream without a backend', () => {
  const upstream = { state: 'serving', balance: 'random', backends: [] } as const
  const reason = `connect ECONNREFUSED\u001b[2J${'!'.repeat(200)}`
  const upstreams = [
    { ...upstream, name: 'good', discovery },
    { ...upstream, name: 'lost', discovery: { ...discovery, state: 'lost', reason, lastGoodReadMs: null, found: 0 } },
    { ...upstream, name: 'kept', discovery: { ...discovery, state: 'empty', restored: true } },
    { ...upstream, name: 'held', discovery: { ...discovery, heldBack: { members: 2, remainingMs: 11_001 } } },
    { ...upstream, name: 'ever', discovery: { ...discovery, heldBack: { members: 2, remainingMs: null } } },
    { ...upstream, name: 'shut', discovery: { ...discovery, refused: { network: 4, port: 1 } } },
  ] as const
  const status = { ...sampleStatus, upstreams }
  assert.deepEqual(tableOf(status, 'UPSTREAM DISCOVERY STATE MEMBERS FOUND LAST GOOD READ SOURCE WHY'), [
    'good redis-keys good 3 3 2025-01-02T00:00:00.000Z keys "a*" at redis://h:1',
    `lost redis-keys lost 3 0 never keys "a*" at redis://h:1 connect ECONNREFUSED·[2J${'!'.repeat(136)}…`,
    'kept redis-keys empty 3 3 2025-01-02T00:00:00.000Z keys "a*" at redis://h:1 members are those believed before',
    'held redis-keys good 3 3 2025-01-02T00:00:00.000Z keys "a*" at redis://h:1 removal of 2 held back for 12 s',
    'ever redis-keys good 3 3 2025-01-02T00:00:00.000Z keys "a*" at redis://h:1 removal of 2 held back for ever (holdBack: never)',
    'shut redis-keys good 3 3 2025-01-02T00:00:00.000Z keys "a*" at redis://h:1 refused: 4 network, 1 port',
  ])
  assert.deepEqual(tableOf(status, 'UPSTREAM BACKEND STATE FOR').slice(0, 1), ['good none - - - - 0 - - - - -'])
})

test('formatStatus() shows backends that are gone but for their connections, and upstreams likewise', () => {
  const removed = { ...backend, state: 'removed', weight: 0, maxConnections: null, active: 1 } as const
  const upstreams = [
    { ...sampleStatus.upstreams[0]!, backends: [removed] },
    { name: 'old', state: 'removed', balance: '', backends: [removed] },
  ] as const
  const status = { ...sampleStatus, upstreams }
  assert.deepEqual(tableOf(status, 'UPSTREAM BALANCE'), [
    'chat round-robin 0 of 0',
    'old - - removed; connections are left',
  ])
  assert.deepEqual(tableOf(status, 'UPSTREAM BACKEND STATE FOR'), [
    'chat none - - - - 0 - - - - -',
    'chat 10.0.0.1:9100 removed 41s - - 1 - 1230 4 2.0 KiB 999 B',
    'old 10.0.0.1:9100 removed 41s - - 1 - 1230 4 2.0 KiB 999 B',
  ])
})

test('formatStatus() tells who is a backup, of what priority others are, and where they stand', () => {
  const backends: BackendStatus[] = [
    { ...backend, priority: 16, backup: true, zone: 'b\u001b', origin: 'discovery' },
    { ...backend, priority: 3 },
  ]
  const upstreams = [
    { ...sampleStatus.upstreams[0]!, backends },
    { ...sampleStatus.upstreams[0]!, name: 'empty', backends: [] },
  ]
  assert.deepEqual(tableOf({ ...sampleStatus, upstreams }, 'UPSTREAM BACKEND FROM ZONE STATE FOR WEIGHT PRIORITY'), [
    'chat 10.0.0.1:9100 discovery b· up 41s 2 backup 7 1000 1230 4 2.0 KiB 999 B',
    'chat 10.0.0.1:9100 file - up 41s 2 3 7 1000 1230 4 2.0 KiB 999 B',
    'empty none - - - - - - 0 - - - - -',
  ])
})

test('formatStatus() tells why backends are not, or not wholly, in use, and until when', () => {
  const until = '2025-01-02T00:00:30.000Z'
  const since = backend.since!
  const refused = 'connect: connection refused'
  const backends: BackendStatus[] = [
    backend,
    { ...backend, state: 'ejected', ejectedUntil: until, ejectionReason: 'reset before its first byte' },
    { ...backend, state: 'down', check: refused, checkedAt: '10.0.0.1:8080', connectionsEndAt: until },
    { ...backend, state: 'drain', origin: 'discovery' },
    { ...backend, state: 'maintenance' },
    { ...backend, slowStartUntil: until },
    { ...backend, check: refused },
    { ...backend, state: 'removed' },
    { ...backend, state: 'removed', connectionsEndAt: until },
  ]
  const upstreams = [{ ...sampleStatus.upstreams[0]!, backends }]
  assert.deepEqual(tableOf({ ...sampleStatus, upstreams }, 'UPSTREAM BACKEND STATE SINCE WHY'), [
    `chat 10.0.0.1:9100 ejected ${since} ejected until ${until}: reset before its first byte`,
    `chat 10.0.0.1:9100 down ${since} last check: ${refused} (checked at 10.0.0.1:8080); its connections end at ${until}`,
    `chat 10.0.0.1:9100 drain ${since} its registration says so`,
    `chat 10.0.0.1:9100 maintenance ${since} the file says so`,
    `chat 10.0.0.1:9100 up ${since} warming up until ${until}`,
    `chat 10.0.0.1:9100 up ${since} last check: ${refused}`,
    `chat 10.0.0.1:9100 removed ${since} its connections go on`,
    `chat 10.0.0.1:9100 removed ${since} its connections end at ${until}`,
  ])
})

test('formatStatus() tells of panic and of sticky entries that are not saved', () => {
  const [upstream = assert.fail()] = sampleStatus.upstreams
  const since = '2025-01-01T00:00:00.000Z'
  const upstreams = [
    { ...upstream, panics: [0, 16], backends: [{ ...backend, state: 'down' }, backend] },
    { ...upstream, sticky: { state: 'failing', since, reason: 'it is away\u001b' } },
    { ...upstream, sticky: { state: 'starting' } },
    { ...upstream, sticky: { state: 'good' } },
  ] as const
  const whatever = 'get connections whatever their health'
  assert.deepEqual(tableOf({ ...sampleStatus, upstreams }, 'UPSTREAM BALANCE BACKENDS UP NOTE'), [
    `chat round-robin 1 of 2 panic: backends of priority 0 ${whatever}; panic: backups ${whatever}`,
    `chat round-robin 1 of 1 sticky entries are not saved since ${since}: it is away·`,
    'chat round-robin 1 of 1 saved sticky entries are not read yet',
    'chat round-robin 1 of 1',
  ])
})

test('formatStatus() tells what was refused, and how to see all of it, until another file serves', () => {
  const fault = { code: 'MCS_CONFIG_INVALID', message: 'no\u001b', hint: '', file: 'lb.yaml', line: 8, column: 15 }
  const lastRefusal = { trigger: 'file', at: '2025-01-03T00:00:00.000Z', errors: [fault], errorCount: 2 } as const
  const lastReload = { ...sampleStatus.lastReload, result: 'refused' } as const
  const lineOf = (status: ServiceStatus) => /^last refusal .*$/m.exec(formatStatus(status))?.[0]
  const refusal = 'last refusal file, at 2025-01-03T00:00:00.000Z: lb.yaml:8:15: no· (1 of 2)'
  assert.equal(
    lineOf({ ...sampleStatus, lastReload, lastRefusal }),
    `${refusal}; mcs-lb check --config /etc/mcs-lb/lb.yaml shows all`,
  )
  assert.equal(lineOf({ ...sampleStatus, lastRefusal }), refusal)
  assert.equal(lineOf(sampleStatus), undefined)
})

test('formatStatus() tells since when it drains, and by when it ends', () => {
  const drain = { since: '2025-01-03T00:00:00.000Z', endsBy: '2025-01-03T00:00:30.000Z' }
  assert.equal(
    formatStatus({ ...sampleStatus, state: 'draining', drain }).split('\n')[0],
    'mcs-lb 0.1.0, pid 4711, started 2025-01-01T00:00:00.000Z, draining since 2025-01-03T00:00:00.000Z, ends by 2025-01-03T00:00:30.000Z',
  )
})

test('formatStatus() shows nothing that acts on a terminal of what is said of the process', () => {
  const status = { ...sampleStatus, configFile: '/etc/\u001b[2Jlb.yaml', version: '1\u202e' }
  assert.match(formatStatus(status), /^mcs-lb 1·, .*\nfile {9}\/etc\/·\[2Jlb\.yaml, /)
})

test('formatBytes() keeps one digit and knows where units end', () => {
  assert.deepEqual([0, 1023, 1024, 1536, 2 ** 40, 2 ** 70].map(formatBytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '1.0 TiB',
    '1048576.0 PiB',
  ])
})

test('formatAge() has the two largest units', () => {
  assert.deepEqual([-5, 41_900, 720_000, 11_100_000, 183_600_000].map(formatAge), ['0s', '41s', '12m', '3h5m', '2d3h'])
})
