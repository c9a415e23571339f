import assert from 'node:assert/strict'
import test from 'node:test'
import { type Bar, bars, judge, type Sample } from '../../../bench/bars.ts'

/** Samples of one metric: a value for each round, by target. */
function samplesOf(metric: string, targets: Record<string, readonly number[]>): Sample[] {
  return Object.entries(targets).flatMap(([target, values]) =>
    values.map((value, round) => ({ round, target, metric, value })),
  )
}

const atLeast: Bar = { metric: 'm', target: 'ours', against: ['a', 'b'], atLeast: 2 }

test('judge() takes the median of the ratios of each round to the better peer', () => {
  const [verdict] = judge(samplesOf('m', { ours: [20, 30, 80], a: [10, 1, 1], b: [5, 10, 20] }), [atLeast])
  assert.deepEqual(verdict?.values, [2, 3, 4])
  assert.equal(verdict?.median, 3)
  assert.equal(verdict?.holds, true)
})

test('judge() takes the lowest peer where less is better', () => {
  const [verdict] = judge(samplesOf('m', { ours: [30], a: [10], b: [20] }), [
    { metric: 'm', target: 'ours', against: ['a', 'b'], atMost: 2 },
  ])
  assert.deepEqual(verdict?.values, [3])
  assert.equal(verdict?.holds, false)
})

test('judge() holds a figure without peers to the bar itself', () => {
  const bar: Bar = { metric: 'm', target: 'ours', against: [], atMost: 0.5 }
  assert.equal(judge(samplesOf('m', { ours: [0.4] }), [bar])[0]?.holds, true)
  assert.equal(judge(samplesOf('m', { ours: [0.6] }), [bar])[0]?.holds, false)
})

test('judge() leaves out rounds that lack a peer, and bars without any round', () => {
  const samples = samplesOf('m', { ours: [2, 4], a: [1, 1], b: [1] })
  assert.deepEqual(judge(samples, [atLeast])[0]?.values, [2])
  assert.deepEqual(judge([], [atLeast]), [])
})

test('judge() is settled by nine rounds', () => {
  const settled = (rounds: number) => {
    const ones = Array.from({ length: rounds }, () => 1)
    return judge(samplesOf('m', { ours: ones, a: ones, b: ones }), [atLeast])[0]?.settled
  }
  assert.deepEqual([settled(8), settled(9)], [false, true])
})

test('bars have one limit each', () => {
  for (const bar of bars) assert.equal((bar.atLeast === undefined) !== (bar.atMost === undefined), true)
})
