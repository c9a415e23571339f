import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRelay } from '../helpers/relay-setup.ts'

// The timer that was armed while dialling stood until connect.timeout was over, and joining the backend brought it
// forward for timeouts.idle only. So a maxDuration shorter than both was seen to when connect.timeout was over: with the
// defaults, 300 ms lasted 5 s.
test('timeouts.maxDuration is kept where it is shorter than connect.timeout', async (t) => {
  const relay = await startRelay(t, {
    listener: 'timeouts: { maxDuration: 200ms }',
    upstream: 'connect: { timeout: 1m }',
  })
  const client = await relay.connect()
  assert.equal(await client.ends(), 'end')
  const [line] = await relay.lb.accessLog(1)
  assert.equal(line?.cause, 'max-duration')
})
