import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { buildSchedule } from '#src/balance/round-robin.js'
import type { Chosen } from '../../helpers/thread-job.ts'
import { runInThreads } from '../../helpers/threads.ts'
import { algorithmOf, countChoices, emptyTable, groupOf, requestOf, sumCounts, threadJobs } from './setup.ts'

const weightLists = fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 12 })

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

test('buildSchedule() puts turn k of c at (k + 0.5) / c of the round, and equal times in order of position', () => {
  fc.assert(
    fc.property(weightLists, (weights) => {
      const divisor = divisorOf(weights)
      const turns = weights.flatMap((weight, position) =>
        Array.from({ length: weight / divisor }, (_, k) => ({ at: (k + 0.5) / (weight / divisor), position })),
      )
      turns.sort((a, b) => a.at - b.at || a.position - b.position)
      const positions = turns.map(({ position }) => position)
      assert.deepEqual([...buildSchedule(weights)], positions)
    }),
  )
})

// 14. Round-robin: 30 → 15/15; weights 1:2 → 10/20.
test('RoundRobin.choose() shares 30 choices 15/15 at equal weights and 10/20 at 1:2', () => {
  const [even, skewed] = [groupOf([1, 1]), groupOf([1, 2])]
  assert.deepEqual(countChoices(algorithmOf('round-robin', even, emptyTable()), even, 30), [15, 15])
  assert.deepEqual(countChoices(algorithmOf('round-robin', skewed, emptyTable()), skewed, 30), [10, 20])
})

test('RoundRobin.choose() takes each backend exactly as often as its weight asks, from any position', () => {
  fc.assert(
    fc.property(weightLists, fc.integer(), (weights, position) => {
      const group = groupOf(weights)
      const algorithm = algorithmOf('round-robin', group, emptyTable(), { cursors: Int32Array.of(position) })
      const divisor = divisorOf(weights)
      assert.deepEqual(
        countChoices(algorithm, group, group.schedule.length),
        weights.map((weight) => weight / divisor),
      )
    }),
    { numRuns: 50 },
  )
})

for (const threads of [1, 2, 4]) {
  test(`RoundRobin.choose() is exact over ${threads} threads that share the cursor`, async (t) => {
    const weights = [5, 3, 2, 1]
    const rounds = 40_000
    const { jobs } = threadJobs('round-robin', [groupOf(weights)], {
      threads,
      choices: (rounds * 11) / threads,
      keep: Number.POSITIVE_INFINITY,
    })
    assert.deepEqual(
      sumCounts(await runInThreads<Chosen>(t, jobs)),
      weights.map((weight) => weight * rounds),
    )
  })
}

test('RoundRobin.choose() fills every backend up to maxConnections, and then none', () => {
  const table = emptyTable()
  const group = groupOf([3, 1, 1], 4)
  const algorithm = algorithmOf('round-robin', group, table)
  assert.deepEqual(countChoices(algorithm, group, 20), [4, 4, 4])
  assert.equal(algorithm.choose(requestOf(), false), -1)
  table.release(1)
  assert.equal(algorithm.choose(requestOf(), false), 1)
})

test('RoundRobin.choose() finds the one backend with room though other workers move the cursor past it', () => {
  const table = emptyTable()
  const cursors = new Int32Array(1)
  const group = groupOf([1, 1])
  // Another worker takes the turn of backend 1 whenever this one has found backend 0 excluded.
  const isExcluded = (row: number) => {
    if (row === 0) algorithmOf('round-robin', group, table, { cursors }).choose(requestOf(), false)
    return row === 0
  }
  assert.equal(algorithmOf('round-robin', group, table, { cursors }).choose(requestOf(0, isExcluded), false), 1)
})

test('RoundRobin keeps its position when the round gets longer, and starts anew when it lies past the end', () => {
  const table = emptyTable()
  const cursors = new Int32Array(1)
  const choose = (backends: number) => {
    const group = groupOf(new Array<number>(backends).fill(1))
    return algorithmOf('round-robin', group, table, { cursors }).choose(requestOf(), false)
  }
  assert.deepEqual([choose(4), choose(4), choose(4)], [0, 1, 2])
  assert.equal(choose(6), 3)
  assert.equal(choose(6), 4)
  assert.equal(choose(2), 0)
  assert.equal(choose(2), 1)
  assert.equal(choose(2), 0)
})

test('RoundRobin.choose() finds the one backend that is up among turns of many that are down', () => {
  const table = emptyTable()
  const weights = Array.from({ length: 100 }, (_, row) => (row === 60 ? 1 : 256))
  const group = groupOf(weights)
  for (let row = 0; row < 100; row++) if (row !== 60) table.setState(row, 1)
  assert.ok(group.schedule.length > 4096)
  const algorithm = algorithmOf('round-robin', group, table)
  for (let n = 0; n < 20; n++) assert.equal(algorithm.choose(requestOf(), false), 60)
})

test('RoundRobin.choose() gives a backend in slow start its share of its turns', () => {
  const table = emptyTable()
  const group = groupOf([1, 1])
  table.setShare(1, 0.25)
  const [full, slow] = countChoices(algorithmOf('round-robin', group, table), group, 10_000)
  // Of each four turns of its own it takes one; the others go to the next, which is the other backend.
  assert.ok(slow! / full! > 0.23 && slow! / full! < 0.27, `${slow} of ${full}`)
})

test('RoundRobin.choose() takes backends in turn when all are at the beginning of slow start', () => {
  const table = emptyTable()
  const group = groupOf([1, 1, 1, 1])
  for (let row = 0; row < 4; row++) table.setShare(row, 0.001)
  const counts = countChoices(algorithmOf('round-robin', group, table), group, 4000)
  for (const count of counts) assert.ok(count > 900 && count < 1100, `${counts}`)
})
