import assert from 'node:assert/strict'
import test from 'node:test'
import { BackendDrains } from '#src/control/backend-drains.js'
import { CauseCode } from '#src/model/cause.js'
import { BACKEND_HELD_BYTES, BACKEND_TABLE_BYTES, BackendTable } from '#src/shared/backend-table.js'

const [DOWN, REMOVED] = [1, 2]
const backend = { row: 3, id: 30 }

function start(t: test.TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const table = new BackendTable(new SharedArrayBuffer(BACKEND_TABLE_BYTES), new SharedArrayBuffer(BACKEND_HELD_BYTES))
  table.assign(backend.row, backend.id)
  table.acquire(backend.row, 1)
  const ended: string[] = []
  const told: string[] = []
  const drains = new BackendDrains({
    table,
    endConnections: (rows, cause) => ended.push(`${rows} ${cause}`),
    onEnded: ({ id }, { connections, cause, action, isAgain }) =>
      told.push(`${connections} of ${id}: ${cause} ${action} ${isAgain}`),
  })
  return { table, ended, told, drains, pass: (ms: number) => t.mock.timers.tick(ms) }
}

test('BackendDrains.begin() ends connections after the drain, once, however often the backend goes meanwhile', (t) => {
  const { drains, ended, pass } = start(t)
  drains.begin(backend, 'drain', 1000, DOWN)
  pass(900)
  drains.begin(backend, 'drain', 1000, REMOVED)
  drains.begin(backend, 'keep', 1000, REMOVED)
  assert.deepEqual(ended, [])
  pass(100)
  pass(5000)
  assert.deepEqual(ended, ['3 1'])
})

test('BackendDrains.begin() ends them at once where they are to be closed, and a drain that is under way with them', (t) => {
  const { drains, ended, pass } = start(t)
  drains.begin(backend, 'drain', 1000, DOWN)
  drains.begin(backend, 'close', 1000, REMOVED)
  pass(5000)
  assert.deepEqual(ended, ['3 2'])
})

test('BackendDrains.cancel() leaves the next drain its whole time', (t) => {
  const { drains, ended, pass } = start(t)
  drains.begin(backend, 'drain', 1000, DOWN)
  pass(900)
  drains.cancel(backend.row)
  drains.begin(backend, 'drain', 1000, DOWN)
  pass(999)
  assert.deepEqual(ended, [])
  pass(1)
  assert.deepEqual(ended, ['3 1'])
})

test('BackendDrains.change() counts a drain of another length from when it began', (t) => {
  const { drains, ended, pass } = start(t)
  drains.begin(backend, 'drain', 5000, DOWN)
  drains.change(backend, 'drain', 0, DOWN)
  pass(1)
  assert.deepEqual(ended, ['3 1'])
})

test('BackendDrains.change() keeps connections that drained, and ends those that were kept', (t) => {
  const { drains, ended, pass } = start(t)
  drains.begin(backend, 'drain', 1000, DOWN)
  drains.change(backend, 'keep', 1000, DOWN)
  pass(5000)
  assert.deepEqual(ended, [])
  drains.change(backend, 'close', 1000, DOWN)
  assert.deepEqual(ended, ['3 1'])
})

test('BackendDrains ends connections to a backend that is gone again and again, while there are any', (t) => {
  const { drains, ended, told, pass, table } = start(t)
  drains.begin(backend, 'close', 1000, CauseCode.backendRemoved)
  assert.equal(ended.length, 1)
  pass(1000)
  pass(1000)
  assert.equal(ended.length, 3)
  const cause = CauseCode.backendRemoved
  assert.deepEqual(told, [
    `1 of 30: ${cause} close false`,
    `1 of 30: ${cause} close true`,
    `1 of 30: ${cause} close true`,
  ])
  table.release(backend.row)
  pass(1000)
  table.acquire(backend.row, 1)
  pass(5000)
  assert.equal(ended.length, 3)
})

test('BackendDrains.cancel() leaves alone a backend that is back', (t) => {
  const { drains, ended, pass } = start(t)
  drains.begin(backend, 'close', 1000, CauseCode.backendRemoved)
  drains.cancel(backend.row)
  pass(5000)
  assert.equal(ended.length, 1)
})

test('BackendDrains ends nothing of another backend that has the row by then', (t) => {
  const { drains, ended, pass, table } = start(t)
  drains.begin(backend, 'drain', 1000, DOWN)
  table.assign(backend.row, 31)
  pass(1000)
  assert.deepEqual(ended, [])
})
