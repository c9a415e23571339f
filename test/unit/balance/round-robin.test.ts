import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import type { Candidate } from '#src/balance/balancer.js'
import { buildSchedule, RoundRobinBalancer } from '#src/balance/round-robin.js'
import { BACKEND_TABLE_BYTES, BackendTable } from '#src/shared/backend-table.js'
import { runInThreads } from '../../helpers/threads.ts'

const none = () => false
const weightLists = fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 12 })

const active = new SharedArrayBuffer(BACKEND_TABLE_BYTES)
const held = new SharedArrayBuffer(BACKEND_TABLE_BYTES)

/** A table without connections. The memory is large, so it is laid out once and the first rows are cleaned. */
function emptyTable(): BackendTable {
  new Int32Array(active, 0, 64).fill(0)
  new Int32Array(held, 0, 64).fill(0)
  return new BackendTable(active, held)
}

function candidatesFor(weights: readonly number[], maxConnections = Number.POSITIVE_INFINITY): Candidate[] {
  return weights.map((_, row) => ({ row, maxConnections }))
}

function balancerFor(weights: readonly number[], candidates = candidatesFor(weights), cursors = new Int32Array(1)) {
  return new RoundRobinBalancer(buildSchedule(weights), candidates, cursors, 0)
}

function divisorOf(weights: readonly number[]): number {
  return weights.reduce((a, b) => {
    let [x, y] = [a, b]
    while (y !== 0) [x, y] = [y, x % y]
    return x
  }, 0)
}

test('buildSchedule() gives weights 5, 1, 1 the round 0 0 0 1 2 0 0', () => {
  assert.deepEqual([...buildSchedule([5, 1, 1])], [0, 0, 0, 1, 2, 0, 0])
})

test('buildSchedule() is empty without weights', () => {
  assert.equal(buildSchedule([]).length, 0)
})

test('buildSchedule() has each position as often as its weight asks, divided by what all weights share', () => {
  fc.assert(
    fc.property(weightLists, (weights) => {
      const schedule = buildSchedule(weights)
      const divisor = divisorOf(weights)
      assert.equal(schedule.length, weights.reduce((sum, weight) => sum + weight, 0) / divisor)
      weights.forEach((weight, position) => {
        assert.equal(schedule.filter((turn) => turn === position).length, weight / divisor)
      })
    }),
  )
})

/**
 * Turn k of a position with c of S turns lies at time (k + 0.5) / c of the round. Between two turns of it, 1 / c apart,
 * another position with d turns has between floor(d / c) and ceil(d / c) of its own, so two gaps differ by at most one
 * for each other position.
 */
test('buildSchedule() spreads: gaps between turns of one backend differ by at most the number of the others', () => {
  fc.assert(
    fc.property(weightLists, (weights) => {
      const schedule = buildSchedule(weights)
      weights.forEach((_, position) => {
        const turns = [...schedule.keys()].filter((at) => schedule[at] === position)
        const gaps = turns.map((at, i) => (turns[i + 1] ?? turns[0]! + schedule.length) - at)
        assert.ok(Math.max(...gaps) - Math.min(...gaps) <= weights.length - 1, `gaps of ${position}: ${gaps}`)
      })
    }),
  )
})

test('RoundRobinBalancer.choose() takes each backend exactly as often as its weight asks, from any position', () => {
  fc.assert(
    fc.property(weightLists, fc.nat(5000), (weights, position) => {
      const table = emptyTable()
      const round = buildSchedule(weights).length
      const balancer = balancerFor(weights, undefined, Int32Array.of(position))
      for (let n = 0; n < round; n++) assert.ok(balancer.choose(table, none) >= 0)
      const divisor = divisorOf(weights)
      weights.forEach((weight, row) => {
        assert.equal(table.active(row), weight / divisor)
      })
    }),
    { numRuns: 50 },
  )
})

test('RoundRobinBalancer.choose() is exact over threads that share the cursor', async (t) => {
  const weights = [5, 3, 2, 1]
  const rounds = 100_000
  emptyTable()
  const cursors = new SharedArrayBuffer(4)
  const counts = await runInThreads<number[]>(
    t,
    Array.from({ length: 4 }, () => ({
      type: 'choose' as const,
      active,
      held: new SharedArrayBuffer(BACKEND_TABLE_BYTES),
      cursors,
      schedule: buildSchedule(weights),
      candidates: candidatesFor(weights),
      choices: (rounds * 11) / 4,
    })),
  )
  const sums = weights.map((_, position) => counts.reduce((sum, of) => sum + of[position]!, 0))
  assert.deepEqual(
    sums,
    weights.map((weight) => weight * rounds),
  )
})

test('RoundRobinBalancer.choose() goes around rows that are excluded', () => {
  fc.assert(
    fc.property(weightLists, fc.nat(4095), (weights, excluded) => {
      const table = emptyTable()
      const isExcluded = (row: number) => ((excluded >> row) & 1) === 1
      const balancer = balancerFor(weights)
      const left = weights.findIndex((_, row) => !isExcluded(row))
      for (let n = 0; n < 20; n++) {
        const position = balancer.choose(table, isExcluded)
        assert.equal(position >= 0, left >= 0)
        if (position >= 0) assert.ok(!isExcluded(position))
      }
    }),
  )
})

test('RoundRobinBalancer.choose() fills every backend up to maxConnections, and then none', () => {
  const table = emptyTable()
  const balancer = balancerFor([3, 1, 1], candidatesFor([3, 1, 1], 4))
  for (let n = 0; n < 12; n++) assert.ok(balancer.choose(table, none) >= 0)
  assert.deepEqual(
    [0, 1, 2].map((row) => table.active(row)),
    [4, 4, 4],
  )
  assert.equal(balancer.choose(table, none), -1)
  table.release(1)
  assert.equal(balancer.choose(table, none), 1)
})

test('RoundRobinBalancer.choose() finds no backend where there is none', () => {
  assert.equal(balancerFor([]).choose(emptyTable(), none), -1)
})

test('RoundRobinBalancer.choose() finds the one backend with room though other workers move the cursor past it', () => {
  const table = emptyTable()
  const cursors = new Int32Array(1)
  const candidates = candidatesFor([1, 1])
  const balancer = balancerFor([1, 1], candidates, cursors)
  // Another worker takes the turn of backend 1 whenever this one has found backend 0 excluded.
  const isExcluded = (row: number) => {
    if (row === 0) balancerFor([1, 1], candidates, cursors).choose(table, none)
    return row === 0
  }
  assert.equal(balancer.choose(table, isExcluded), 1)
})

test('RoundRobinBalancer keeps its position when the round gets longer, and starts anew when it lies past the end', () => {
  const table = emptyTable()
  const cursors = new Int32Array(1)
  const choose = (backends: number) => {
    const weights = new Array<number>(backends).fill(1)
    return balancerFor(weights, undefined, cursors).choose(table, none)
  }
  assert.deepEqual([choose(4), choose(4), choose(4)], [0, 1, 2])
  assert.equal(choose(6), 3)
  assert.equal(choose(6), 4)
  assert.equal(choose(2), 0)
  assert.equal(choose(2), 1)
  assert.equal(choose(2), 0)
})
