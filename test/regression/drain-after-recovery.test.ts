import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { GreetedClient } from '../helpers/greeted-client.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { startUpstream } from '../helpers/upstream-setup.ts'
import { waitUntil } from '../helpers/wait-until.ts'

const DRAIN_MS = 2000
/** What the polling of a test may have missed of it. */
const SLACK_MS = 500

// The timer of a drain stood on when its backend came up, or was added again. Where the backend happened to be down, or
// gone, once more when it fired, connections that were made in between were cut: after a second time down of 1.5 s in
// place of connections.drain's 8 s.
test('connections made after a recovery have the whole of connections.drain when their backend goes down again', async (t) => {
  const [backend, check] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'check')]
  const { lb, port } = await startUpstream(
    t,
    `{
    servers: [{ address: "${backend.address}" }],
    health: { port: ${check.port}, interval: 100ms, timeout: 500ms, rise: 10, fall: 1, jitter: 0% },
    connections: { onUnhealthy: drain, drain: ${DRAIN_MS}ms } }`,
  )
  const becomes = (wanted: string) =>
    waitUntil(`it is ${wanted}`, async () => (await lb.status()).upstreams[0]!.backends[0]!.state === wanted)
  await GreetedClient.open(t, port)
  const { port: checked } = check
  check.close()
  await becomes('down')
  const again = await NamedBackend.start(t, 'check', checked)
  await becomes('up')
  await livesThroughDrain(t, port, async () => {
    again.close()
    await becomes('down')
  })
})

test('connections made after a backend is added again have the whole of connections.drain when it is removed', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const upstream = (...list: readonly NamedBackend[]) => `{
    servers: [${list.map(({ address }) => `{ address: "${address}" }`)}],
    connections: { onRemoved: drain, drain: ${DRAIN_MS}ms } }`
  const { port, reload } = await startUpstream(t, upstream(a))
  await GreetedClient.open(t, port)
  const removedAtMs = performance.now()
  await reload(upstream(b))
  await waitUntil('part of the drain has passed', () => performance.now() - removedAtMs > 2 * SLACK_MS)
  await reload(upstream(a))
  await livesThroughDrain(t, port, async () => {
    await reload(upstream(b))
  })
})

/** Opens a connection, has its backend go, and measures how long it lives on. */
async function livesThroughDrain(t: TestContext, port: number, goes: () => Promise<void>): Promise<void> {
  const client = await GreetedClient.open(t, port)
  assert.equal(client.backend, 'a')
  await goes()
  const goneAtMs = performance.now()
  assert.equal(await client.ended, 'end')
  const lastedMs = performance.now() - goneAtMs
  assert.ok(lastedMs >= DRAIN_MS - SLACK_MS, `it was cut after ${lastedMs} ms`)
}
