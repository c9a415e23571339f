import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runStorm } from '../../bench/storm/storm.ts'
import { stormTable } from '../../bench/storm/table.ts'

test('a storm of reloads costs no connection a byte, and the last valid file serves at the end', async (t) => {
  const result = await runStorm(t, { reloads: 24, seconds: 8, streams: 20 })
  assert.deepEqual(result.failures, [], stormTable(result))
  assert.ok(
    Object.values(result.served).every((count) => count >= 3),
    stormTable(result),
  )
  assert.ok(
    Object.values(result.refused).every((count) => count >= 1),
    stormTable(result),
  )
})
