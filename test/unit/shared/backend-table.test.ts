import assert from 'node:assert/strict'
import test from 'node:test'
import { BACKEND_TABLE_BYTES, BackendTable } from '#src/shared/backend-table.js'
import { MAX_BACKENDS } from '#src/shared/limits.js'
import { runInThreads } from '../../helpers/threads.ts'

const unlimited = Number.POSITIVE_INFINITY
const allocate = () => new SharedArrayBuffer(BACKEND_TABLE_BYTES)

test('BackendTable.acquire() takes places up to the limit and not one more', () => {
  const table = new BackendTable(allocate(), allocate())
  assert.deepEqual(
    [1, 2, 3].map(() => table.acquire(5, 2)),
    [true, true, false],
  )
  assert.equal(table.active(5), 2)
  table.release(5)
  assert.equal(table.acquire(5, 2), true)
})

test('BackendTable.acquire() refuses while a lowered limit is exceeded', () => {
  const table = new BackendTable(allocate(), allocate())
  for (let n = 0; n < 5; n++) table.acquire(0, unlimited)
  assert.equal(table.acquire(0, 3), false)
  table.release(0)
  table.release(0)
  assert.equal(table.acquire(0, 3), false)
  table.release(0)
  assert.equal(table.acquire(0, 3), true)
})

test('BackendTable.acquire() holds the limit exactly while four threads take and give back', async (t) => {
  const active = allocate()
  const limit = 10
  const held = Array.from({ length: 4 }, allocate)
  const results = await runInThreads<{ most: number; taken: number }>(
    t,
    held.map((own) => ({ type: 'acquire' as const, active, held: own, row: 3, limit, rounds: 50_000 })),
  )
  const table = new BackendTable(active, allocate())
  assert.ok(Math.max(...results.map(({ most }) => most)) <= limit)
  // Not each of them: on a busy machine a thread may find the others holding every place, all the time.
  assert.ok(results.some(({ taken }) => taken > 0))
  const places = held.map((own) => new Int32Array(own)[3]!)
  assert.equal(
    table.active(3),
    places.reduce((sum, count) => sum + count),
  )
  assert.ok(table.active(3) <= limit)
})

test('BackendTable.abandon() gives back exactly what one worker held', () => {
  const active = allocate()
  const gone = new BackendTable(active, allocate())
  const other = new BackendTable(active, allocate())
  for (const row of [0, 0, 7, MAX_BACKENDS - 1]) gone.acquire(row, unlimited)
  for (const row of [0, 7, 7, 9]) other.acquire(row, unlimited)
  gone.acquire(9, unlimited)
  gone.release(9)
  assert.equal(gone.abandon(), 4)
  assert.deepEqual(
    [0, 7, 9, MAX_BACKENDS - 1].map((row) => other.active(row)),
    [1, 2, 1, 0],
  )
  assert.equal(gone.abandon(), 0)
  assert.equal(other.abandon(), 4)
  assert.equal(other.active(7), 0)
})
