import assert from 'node:assert/strict'
import test from 'node:test'
import { buildGroups } from '#src/balance/group.js'
import { CURSORS_PER_UPSTREAM } from '#src/balance/tiered.js'
import { ServingSnapshot, ServingTable, ServingUpstream } from '#src/dataplane/serving.js'
import type { Snapshot } from '#src/model/snapshot.js'
import { BACKEND_HELD_BYTES, BACKEND_TABLE_BYTES, BackendState, BackendTable } from '#src/shared/backend-table.js'

const memory = {
  table: new BackendTable(new SharedArrayBuffer(BACKEND_TABLE_BYTES), new SharedArrayBuffer(BACKEND_HELD_BYTES)),
  cursors: new Int32Array(CURSORS_PER_UPSTREAM),
  random: Math.random,
}

function createServing(generation: number, connections = 0): ServingSnapshot {
  const snapshot: Snapshot = {
    generation,
    epoch: 1,
    workers: 1,
    connectionLimit: 1,
    pendingBytesPerWorker: 0,
    accessLog: false,
    listeners: [],
    upstreams: [],
  }
  const serving = new ServingSnapshot(snapshot, memory)
  serving.connections = connections
  return serving
}

test('ServingTable.add() gives an index that no snapshot has, and those of removed ones again', () => {
  const table = new ServingTable()
  const [a, b] = [createServing(1), createServing(2)]
  assert.deepEqual([table.add(a), table.add(b)], [0, 1])
  assert.equal(table.at(1), b)
  table.remove(0)
  assert.equal(table.find(0), undefined)
  const c = createServing(3)
  assert.equal(table.add(c), 0)
  assert.equal(table.find(0), c)
  assert.equal(table.add(createServing(4)), 2)
})

test('ServingTable.oldestGeneration() is the lowest that is there, whatever its index; 0 for none', () => {
  const table = new ServingTable()
  assert.equal(table.oldestGeneration(), 0)
  const first = table.add(createServing(5))
  table.add(createServing(6))
  table.remove(first)
  table.add(createServing(7))
  assert.equal(table.oldestGeneration(), 6)
})

test('ServingTable.counts() names generations that have connections', () => {
  const table = new ServingTable()
  table.add(createServing(5, 3))
  table.add(createServing(6))
  table.add(createServing(7, 1))
  assert.deepEqual(table.counts(), [
    { generation: 5, connections: 3 },
    { generation: 7, connections: 1 },
  ])
})

test('ServingUpstream.mayServe() goes by what workers choose by, room left aside', () => {
  const primary = { name: 'a', row: 0, weight: 1, maxConnections: 1, priority: 0 }
  const backup = { name: 'b', row: 1, weight: 1, maxConnections: 1, priority: 16 }
  const membership = { upstream: 0, epoch: 1, backends: [], groups: buildGroups([primary, backup]) }
  const upstream = new ServingUpstream(
    {
      name: 'chat',
      row: 0,
      balance: 'round-robin',
      sourcePrefix: { ipv4: 32, ipv6: 64 },
      stickyTtlMs: 0,
      connectTimeoutMs: 1000,
      attempts: 3,
      failuresToTell: 0,
      earlyResetMs: 0,
      membership,
    },
    memory,
  )
  const { table } = memory
  assert.ok(table.acquire(0, 1))
  assert.equal(upstream.mayServe(0), true)
  table.setState(0, BackendState.down)
  assert.equal(upstream.mayServe(0), true, 'the backup may')
  table.setState(1, BackendState.ejected)
  assert.deepEqual(
    [0b00, 0b01, 0b10].map((panic) => upstream.mayServe(panic)),
    [false, true, true],
  )
  table.setState(0, BackendState.maintenance)
  assert.equal(upstream.mayServe(0b01), false)
})
