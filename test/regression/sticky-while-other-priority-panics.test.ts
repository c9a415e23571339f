import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { GreetedClient } from '../helpers/greeted-client.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { startUpstream } from '../helpers/upstream-setup.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// A client that came back was let through to a backend that was down as soon as any priority of the upstream was in
// panic: one dead backup was enough, and a third of the clients met the primary whose check failed.
test('a sticky client is not sent to a backend that is down because another priority is in panic', async (t) => {
  const primaries = await Promise.all(['well a', 'well b', 'well c'].map((name) => NamedBackend.start(t, name)))
  const servers = primaries.map(({ address }) => `{ address: "${address}" }`)
  const { lb, port } = await startUpstream(
    t,
    `{
    sticky: {}, panicThreshold: 50%,
    health: { type: send-expect, steps: [{ expect: well }], interval: 100ms, rise: 1, fall: 1 },
    servers: [${servers}, { address: "127.0.0.1:${await freePort()}", backup: true }] }`,
  )
  await lb.logged(/Too few backends are healthy: connections go to all of them upstream=web priority=backup/)
  const becomes = (wanted: string) =>
    waitUntil(`the states are ${wanted}`, async () => {
      return (await lb.status()).upstreams[0]!.backends.map(({ state }) => state).join() === wanted
    })
  await becomes('up,up,up,down')
  const visit = async (host: number) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.0.${host}` })
    const client = await GreetedClient.greet(t, socket)
    await client.end()
    return client.backend
  }
  const visitAll = () => Promise.all([2, 3, 4, 5, 6, 7].map(visit))
  assert.deepEqual(new Set(await visitAll()), new Set(['well a', 'well b', 'well c']))
  primaries[0]!.name = 'sick'
  await becomes('down,up,up,down')
  assert.deepEqual(new Set(await visitAll()), new Set(['well b', 'well c']))
  assert.doesNotMatch(lb.stderr, /priority=0/)
})
