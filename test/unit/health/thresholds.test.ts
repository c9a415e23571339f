import assert from 'node:assert/strict'
import test from 'node:test'
import { isUp, nextPauseMs, noteResult, type Standing, unknownStanding } from '#src/health/thresholds.js'
import { makeHealth } from './fixture.ts'

const config = makeHealth({ rise: 2, fall: 3, intervalMs: 1000, fastIntervalMs: 100, downIntervalMs: 4000 })

/** The states after each of the results: `+` good, `-` bad. */
function statesAfter(results: string, from: Standing = unknownStanding): string[] {
  let standing = from
  return [...results].map((result) => {
    standing = noteResult(standing, result === '+', config)
    return standing.state
  })
}

test('noteResult() lets the first result decide at once', () => {
  assert.ok(isUp(unknownStanding))
  assert.deepEqual(statesAfter('+'), ['up'])
  assert.deepEqual(statesAfter('-'), ['down'])
})

test('noteResult() takes a backend down after `fall` failures in a row, and up after `rise` good checks', () => {
  assert.deepEqual(statesAfter('+---'), ['up', 'up', 'up', 'down'])
  assert.deepEqual(statesAfter('-++'), ['down', 'down', 'up'])
})

test('noteResult() begins to count anew after a result that agrees with the state', () => {
  assert.deepEqual(statesAfter('+--+--'), Array(6).fill('up'))
  assert.deepEqual(statesAfter('-+-+'), Array(4).fill('down'))
})

test('noteResult() applies a lower limit at the next result', () => {
  const almost = { state: 'up', against: 2 } as const
  assert.equal(noteResult(almost, false, makeHealth({ fall: 2 })).state, 'down')
})

test('nextPauseMs() is short while results differ, and another while the backend is down', () => {
  const pauseIn = (state: Standing['state'], against: number) => nextPauseMs({ state, against }, config, () => 0.5)
  assert.equal(pauseIn('up', 0), 1000)
  assert.equal(pauseIn('up', 1), 100)
  assert.equal(pauseIn('down', 0), 4000)
  assert.equal(pauseIn('down', 1), 100)
  assert.equal(pauseIn('unknown', 0), 1000)
})

test('nextPauseMs() varies by the jitter to either side', () => {
  const jittery = makeHealth({ intervalMs: 1000, jitter: 0.1 })
  assert.equal(
    nextPauseMs(unknownStanding, jittery, () => 0),
    900,
  )
  assert.equal(Math.round(nextPauseMs(unknownStanding, jittery, () => 0.999_999)), 1100)
})
