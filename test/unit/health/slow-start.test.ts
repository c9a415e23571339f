import assert from 'node:assert/strict'
import test from 'node:test'
import { SlowStart } from '#src/health/slow-start.js'

test('SlowStart.shares() rises in a straight line from a tenth to all, which is told once', () => {
  const slowStart = new SlowStart(1000)
  slowStart.start('a', 5000)
  const shareAt = (nowMs: number) => slowStart.shares(nowMs).get('a')
  assert.equal(shareAt(5000), 0.1)
  assert.equal(shareAt(5500), 0.55)
  assert.ok(Math.abs(shareAt(5999)! - 0.9991) < 1e-9)
  assert.equal(shareAt(6000), 1)
  assert.equal(shareAt(6001), undefined)
})

test('SlowStart.shares() never leaves its range when the clock does not advance', () => {
  const slowStart = new SlowStart(1000)
  slowStart.start('a', 5000)
  assert.equal(slowStart.shares(4000).get('a'), 0.1)
})

test('SlowStart.shares() gives all at once without a duration', () => {
  const slowStart = new SlowStart(0)
  slowStart.start('a', 5000)
  assert.deepEqual([...slowStart.shares(5000)], [['a', 1]])
})

test('SlowStart.start() begins anew, and stop() forgets', () => {
  const slowStart = new SlowStart(1000)
  slowStart.start('a', 0)
  slowStart.start('b', 0)
  slowStart.start('a', 900)
  slowStart.stop('b')
  assert.deepEqual([...slowStart.shares(900)], [['a', 0.1]])
})

test('SlowStart takes over the clocks of its predecessor', () => {
  const before = new SlowStart(1000)
  before.start('a', 0)
  const after = new SlowStart(2000, before.started())
  assert.equal(after.shares(1000).get('a'), 0.55)
})
