import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import type { Chosen } from '../../helpers/thread-job.ts'
import { runInThreads } from '../../helpers/threads.ts'
import { algorithmOf, countChoices, emptyTable, groupOf, requestOf, sumCounts, threadJobs } from './setup.ts'

const unlimited = Number.POSITIVE_INFINITY

// 19. Least-connections: 5/5 when idle, 10/0 when one is busy.
test('LeastConnections.choose() shares 10 choices 5/5 when both are idle, kept open or not', () => {
  const table = emptyTable()
  const group = groupOf([1, 1])
  assert.deepEqual(countChoices(algorithmOf('least-connections', group, table), group, 10), [5, 5])
  const idle = emptyTable()
  const algorithm = algorithmOf('least-connections', group, idle)
  assert.deepEqual(countChoices(algorithm, group, 10, { release: idle }), [5, 5])
})

test('LeastConnections.choose() sends all 10 to the idle backend when the other is busy', () => {
  const table = emptyTable()
  for (let n = 0; n < 10; n++) table.acquire(1, unlimited)
  const group = groupOf([1, 1])
  assert.deepEqual(countChoices(algorithmOf('least-connections', group, table), group, 10), [10, 0])
})

test('LeastConnections.choose() takes one with the fewest connections for its weight', () => {
  const backend = fc.record({
    weight: fc.integer({ min: 1, max: 256 }),
    active: fc.nat(40),
    share: fc.constantFrom(1, 0.5),
  })
  fc.assert(
    fc.property(fc.array(backend, { minLength: 1, maxLength: 20 }), fc.nat(30), (backends, cursor) => {
      const table = emptyTable()
      backends.forEach(({ active, share }, row) => {
        table.setShare(row, share)
        for (let n = 0; n < active; n++) table.acquire(row, unlimited)
      })
      const group = groupOf(backends.map(({ weight }) => weight))
      const algorithm = algorithmOf('least-connections', group, table, { cursors: Int32Array.of(cursor) })
      const costs = backends.map(({ weight, active, share }) => active / (weight * share))
      assert.equal(costs[algorithm.choose(requestOf(), false)], Math.min(...costs))
    }),
  )
})

test('LeastConnections.choose() fills backends in proportion to their weights', () => {
  const group = groupOf([1, 2, 5])
  assert.deepEqual(countChoices(algorithmOf('least-connections', group, emptyTable()), group, 800), [100, 200, 500])
})

test('LeastConnections.choose() takes equals in turn', () => {
  const table = emptyTable()
  const group = groupOf([1, 1, 1, 1])
  const algorithm = algorithmOf('least-connections', group, table)
  const choices = Array.from({ length: 8 }, () => {
    const index = algorithm.choose(requestOf(), false)
    table.release(index)
    return index
  })
  assert.deepEqual(choices, [0, 1, 2, 3, 0, 1, 2, 3])
})

test('LeastConnections.choose() chooses again when the count it chose by has changed', () => {
  const table = emptyTable()
  const group = groupOf([1, 1])
  let others = 0
  // Another worker takes a place at backend 0 between the look at it and the taking.
  const isExcluded = (row: number) => {
    if (row === 0 && others++ === 0) table.acquire(0, unlimited)
    return false
  }
  assert.equal(algorithmOf('least-connections', group, table).choose(requestOf(0, isExcluded), false), 1)
})

test('LeastConnections.choose() finds a place though every count it chooses by has changed', () => {
  const table = emptyTable()
  const group = groupOf([1])
  const isExcluded = () => table.acquire(0, 500) && false
  assert.equal(algorithmOf('least-connections', group, table).choose(requestOf(0, isExcluded), false), 0)
})

for (const threads of [2, 4]) {
  test(`LeastConnections.choose() gives each of 1,000 idle backends exactly one connection from ${threads} threads`, async (t) => {
    const groups = [groupOf(Array.from({ length: 1000 }, (_, row) => 1 + (row % 5)))]
    const { jobs, activeAt } = threadJobs('least-connections', groups, {
      threads,
      choices: 1000 / threads,
      keep: unlimited,
    })
    assert.deepEqual(sumCounts(await runInThreads<Chosen>(t, jobs)), new Array(1000).fill(1))
    for (let row = 0; row < 1000; row++) assert.equal(activeAt(row), 1)
  })
}

test('LeastConnections.choose() keeps three equal backends equal, over four threads that choose at once', async (t) => {
  const { jobs } = threadJobs('least-connections', [groupOf([1, 1, 1])], { threads: 4, choices: 3000, keep: unlimited })
  assert.deepEqual(sumCounts(await runInThreads<Chosen>(t, jobs)), [4000, 4000, 4000])
})
