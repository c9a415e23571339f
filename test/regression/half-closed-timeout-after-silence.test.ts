import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startRelay } from '../helpers/relay-setup.ts'

// A client that had been silent for longer than timeouts.halfClosed ended its direction and waited for the answer. The
// time that it had been silent before was counted: whenever the connection was next looked at, be it for connect.timeout
// or because the timer wheel had turned, it was cut off, at the worst at once. The time begins with the end.
test('timeouts.halfClosed counts from the half-close, however long nothing had moved before', async (t) => {
  const relay = await startRelay(t, {
    listener: 'timeouts: { halfClosed: 1s }',
    upstream: 'connect: { timeout: 1500ms }',
  })
  const { client, server } = await relay.pair()
  await pause(1200)
  client.finish()
  assert.equal(await server.ends(), 'end')
  const halfClosedAt = performance.now()
  assert.equal(await client.ends(), 'end')
  assert.ok(performance.now() - halfClosedAt > 900, `it ended after ${performance.now() - halfClosedAt} ms`)
  const [line] = await relay.lb.accessLog(1)
  assert.equal(line?.cause, 'half-closed-timeout')
})

test('timeouts.idle goes on counting after a half-close', async (t) => {
  const relay = await startRelay(t, { listener: 'timeouts: { idle: 500ms, halfClosed: 1m }' })
  const { client, server } = await relay.pair()
  client.finish()
  assert.equal(await server.ends(), 'end')
  assert.equal(await client.ends(), 'end')
  const [line] = await relay.lb.accessLog(1)
  assert.equal(line?.cause, 'idle-timeout')
})
