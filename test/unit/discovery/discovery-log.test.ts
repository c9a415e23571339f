import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DiscoveryEvent, DiscoveryLog } from '#src/discovery/discovery-log.js'

function startLog() {
  const events: DiscoveryEvent[] = []
  const log = new DiscoveryLog('chat', 'file "/members.yaml"', (event) => events.push(event))
  const loses = (reason: string, nowMs: number) => log.enters('lost', { reason, members: 2, found: 0, nowMs })
  return { log, loses, reasons: () => events.map(({ fields }) => fields.reason), events }
}

// Redis was stopped, and came back with another password: the last word of the log stayed "connection refused".
test('DiscoveryLog.enters() tells of another reason once, and names the place', () => {
  const { loses, events } = startLog()
  loses('connect ECONNREFUSED 10.0.0.1:6379', 0)
  loses('connect ECONNREFUSED 10.0.0.2:6379', 100)
  loses('WRONGPASS', 200)
  loses('WRONGPASS', 300)
  assert.deepEqual(
    events.map(({ level, message }) => `${level} ${message}`),
    ['warn Discovery lost its source; the members stay', 'warn Discovery is without its source for another reason'],
  )
  const fields = { upstream: 'chat', reason: 'WRONGPASS', source: 'file "/members.yaml"', members: 2 }
  assert.deepEqual(events[1]?.fields, fields)
})

test('DiscoveryLog.enters() tells of a reason that alternates once in 10 s, and then of the latest', () => {
  const { loses, reasons } = startLog()
  loses('a', 0)
  for (let nowMs = 1; nowMs <= 10_000; nowMs++) loses(nowMs % 2 === 0 ? 'a' : 'b', nowMs)
  assert.deepEqual(reasons(), ['a', 'b'])
  loses('c', 10_001)
  loses('b', 10_002)
  assert.deepEqual(reasons(), ['a', 'b', 'c'])
  loses('b', 20_001)
  assert.deepEqual(reasons(), ['a', 'b', 'c', 'b'])
})

test('DiscoveryLog.enters() tells why nobody is found, as a warning where members stay', () => {
  const { log, events } = startLog()
  const empties = (reason: string, members: number) => log.enters('empty', { reason, members, found: 0, nowMs: 0 })
  empties('there is no name chat.test (NXDOMAIN)', 0)
  empties('chat.test has no A records', 0)
  assert.deepEqual(
    events.map(({ level, message, fields }) => [level, message, fields.reason]),
    [
      ['info', 'Discovery finds nobody yet', 'there is no name chat.test (NXDOMAIN)'],
      ['info', 'Discovery finds nobody for another reason', 'chat.test has no A records'],
    ],
  )
})

test('DiscoveryLog.enters() tells of a part that cannot be read, and when it can again', () => {
  const { log, events } = startLog()
  const reads = (reason: string, nowMs: number) => log.enters('good', { reason, members: 2, found: 2, nowMs })
  reads('the AAAA records: the server failed', 0)
  reads('the AAAA records: the server failed', 1)
  reads('', 2)
  reads('', 3)
  reads('the AAAA records: no answer', 10_002)
  reads('', 10_003)
  reads('the AAAA records: no answer', 10_004)
  assert.deepEqual(
    events.map(({ level, message }) => `${level} ${message}`),
    [
      'info Discovery reads its source',
      'warn Discovery reads a part of its source only; what it had of the rest stays',
      'info Discovery reads all of its source again',
      'warn Discovery reads a part of its source only; what it had of the rest stays',
      'info Discovery reads all of its source again',
    ],
  )
})
