import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureSpread } from '../../bench/storm/spread.ts'

test('long connections that come one by one spread over the workers: none has over 1.3 times its share', async (t) => {
  const shares = await measureSpread(t, { connections: 400, perSecond: 200, workers: 4 })
  assert.equal(shares.length, 4)
  assert.ok(Math.max(...shares) <= 1.3, shares.join(', '))
})
