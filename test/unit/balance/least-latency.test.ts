import assert from 'node:assert/strict'
import test from 'node:test'
import { seededRandom } from '#src/balance/seeded-random.js'
import { algorithmOf, countChoices, emptyTable, groupOf, requestOf } from './setup.ts'

const unlimited = Number.POSITIVE_INFINITY
/** Never explores, and draws the backend at index 0 of two first. */
const never = () => 0.1

test('LeastLatency.choose() takes the faster of two when both are idle', () => {
  const table = emptyTable()
  table.noteLatency(0, 8, 0)
  table.noteLatency(1, 2, 0)
  const group = groupOf([1, 1])
  const counts = countChoices(algorithmOf('least-latency', group, table), group, 6400, { release: table })
  // One in 64 is taken without a look, half of them at the slower one: else it would never be measured again.
  assert.ok(counts[0]! > 20 && counts[0]! < 90, `${counts}`)
})

test('LeastLatency.choose() takes latency × (connections + 1) / weight, the lower one', () => {
  const table = emptyTable()
  table.noteLatency(0, 8, 0)
  table.noteLatency(1, 2, 0)
  const group = groupOf([2, 1])
  const algorithm = algorithmOf('least-latency', group, table, { random: never })
  // 8 × 1 / 2 is 4: below 2 × 3 / 1, not below 2 × 1 / 1 and, as equals go to the first, not above 2 × 2 / 1.
  assert.equal(algorithm.choose(requestOf(), false), 1)
  assert.equal(algorithm.choose(requestOf(), false), 0)
  table.release(0)
  table.acquire(1, unlimited)
  assert.equal(algorithm.choose(requestOf(), false), 0)
  table.setShare(0, 0.125)
  table.release(0)
  assert.equal(algorithm.choose(requestOf(), false), 1)
})

test('LeastLatency.choose() tries a backend that was never measured first, by one connection at a time', () => {
  const table = emptyTable()
  table.noteLatency(0, 0.01, 0)
  for (let n = 0; n < 3; n++) table.acquire(0, unlimited)
  const group = groupOf([1, 1])
  const algorithm = algorithmOf('least-latency', group, table, { random: never })
  assert.equal(algorithm.choose(requestOf(), false), 1)
  // While that one is open it counts as fast as the other: 2 against 4, 3 against 4, then equals.
  assert.deepEqual(
    [1, 2, 3].map(() => algorithm.choose(requestOf(), false)),
    [1, 1, 0],
  )
})

test('LeastLatency.choose() spreads connections evenly while nothing is measured', () => {
  const group = groupOf(new Array(20).fill(1))
  const algorithm = algorithmOf('least-latency', group, emptyTable(), { random: seededRandom(3) })
  const counts = countChoices(algorithm, group, 2000)
  assert.ok(Math.min(...counts) >= 90 && Math.max(...counts) <= 110, `${counts}`)
})

test('LeastLatency.choose() does not send every worker to the one new backend', () => {
  const table = emptyTable()
  const group = groupOf(new Array(10).fill(1))
  for (let row = 1; row < 10; row++) table.noteLatency(row, 5, 0)
  const counts = countChoices(algorithmOf('least-latency', group, table), group, 100)
  assert.ok(counts[0]! >= 1 && counts[0]! <= 20, `${counts}`)
})
