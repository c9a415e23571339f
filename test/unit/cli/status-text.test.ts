import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatBytes, formatStatus } from '#src/cli/status-text.js'
import type { DiscoveryState, ServiceStatus } from '#src/control/service.js'
import { sampleStatus } from '../admin/fake-service.ts'

test('formatStatus() aligns what it prints', () => {
  assert.equal(
    formatStatus(sampleStatus),
    `mcs-lb 0.1.0, pid 4711, serving since 2025-01-01T00:00:00.000Z
file         /etc/mcs-lb/lb.yaml, generation 3
last reload  serving (admin, 12 ms) at 2025-01-02T00:00:00.000Z
connections  7 active of 500, 1234 in all
descriptors  40 open of 1024, room for 500 connections
access log   1227 written, 0 dropped

LISTENER  ADDRESS        UPSTREAM  ACTIVE  ACCEPTED  TURNED AWAY       UP     DOWN
edge      0.0.0.0:64400  chat           7      1234            5  2.0 KiB  5.0 MiB

UPSTREAM  BALANCE      BACKEND        STATE  WEIGHT  PRIORITY  ACTIVE   MAX  CONNECTIONS  FAILURES       UP   DOWN
chat      round-robin  10.0.0.1:9100  up          2         0       7  1000         1230         4  2.0 KiB  999 B

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
  const table = formatStatus(status)
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
  assert.deepEqual(tableOf(status, 'UPSTREAM BALANCE').slice(0, 1), ['good random none - - - 0 - - - - -'])
})

test('formatStatus() shows backends that are gone but for their connections, and upstreams likewise', () => {
  const removed = { ...backend, state: 'removed', weight: 0, maxConnections: null, active: 1 } as const
  const upstreams = [
    { ...sampleStatus.upstreams[0]!, backends: [removed] },
    { name: 'old', state: 'removed', balance: '', backends: [removed] },
  ] as const
  assert.deepEqual(tableOf({ ...sampleStatus, upstreams }, 'UPSTREAM BALANCE'), [
    'chat round-robin none - - - 0 - - - - -',
    'chat round-robin 10.0.0.1:9100 removed - - 1 - 1230 4 2.0 KiB 999 B',
    'old - 10.0.0.1:9100 removed - - 1 - 1230 4 2.0 KiB 999 B',
  ])
})

test('formatStatus() tells who is a backup, of what priority others are, and where they stand', () => {
  const backends = [
    { ...backend, priority: 16, backup: true, zone: 'b\u001b' },
    { ...backend, priority: 3 },
  ]
  const upstreams = [
    { ...sampleStatus.upstreams[0]!, backends },
    { ...sampleStatus.upstreams[0]!, name: 'empty', backends: [] },
  ]
  assert.deepEqual(tableOf({ ...sampleStatus, upstreams }, 'UPSTREAM BALANCE BACKEND ZONE STATE WEIGHT PRIORITY'), [
    'chat round-robin 10.0.0.1:9100 b· up 2 backup 7 1000 1230 4 2.0 KiB 999 B',
    'chat round-robin 10.0.0.1:9100 - up 2 3 7 1000 1230 4 2.0 KiB 999 B',
    'empty round-robin none - - - - 0 - - - - -',
  ])
})

test('formatStatus() tells when an ejection ends', () => {
  const ejected = { ...backend, state: 'ejected', ejectedUntil: '2025-01-02T00:00:30.000Z' } as const
  const upstreams = [{ ...sampleStatus.upstreams[0]!, backends: [ejected, backend] }]
  assert.deepEqual(tableOf({ ...sampleStatus, upstreams }, 'UPSTREAM BACKEND EJECTED UNTIL'), [
    'chat 10.0.0.1:9100 2025-01-02T00:00:30.000Z',
  ])
})

test('formatStatus() tells since when it drains, and by when it ends', () => {
  const drain = { since: '2025-01-03T00:00:00.000Z', endsBy: '2025-01-03T00:00:30.000Z' }
  assert.equal(
    formatStatus({ ...sampleStatus, state: 'draining', drain }).split('\n')[0],
    'mcs-lb 0.1.0, pid 4711, started 2025-01-01T00:00:00.000Z, draining since 2025-01-03T00:00:00.000Z, ends by 2025-01-03T00:00:30.000Z',
  )
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
