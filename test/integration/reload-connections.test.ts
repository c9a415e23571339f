import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { GreetedClient, openClients, tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { waitUntil } from '../helpers/wait-until.ts'

test('41. Connections stay with the backend and the timeouts they began with, and new ones meet the new', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const config = (backend: NamedBackend, idle: string) => `reload: { watch: false }
listeners:
  edge: { bind: "127.0.0.1:${port}", upstream: web, timeouts: { idle: ${idle} } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config(a, '10m'))
  const { generation: before } = await lb.status()
  const old = await GreetedClient.open(t, port)
  const result = await lb.reload(config(b, '200ms'))
  assert.equal(result.outcome, 'serving')
  const fresh = await GreetedClient.open(t, port)
  assert.deepEqual([old.backend, fresh.backend], ['a', 'b'])
  assert.ok(await old.echoes())
  assert.deepEqual((await lb.status()).generations, [
    { generation: before, connections: 1 },
    { generation: result.generation, connections: 1 },
  ])
  // The new one meets the new idle timeout. The old one is silent for as long, and lives.
  assert.equal(await fresh.ended, 'end')
  assert.ok(await old.echoes())
  await old.end()
  const lines = await lb.accessLog(2)
  assert.deepEqual(
    lines.map(({ backend, generation, cause }) => ({ backend, generation, cause })),
    [
      { backend: b.address, generation: result.generation, cause: 'idle-timeout' },
      { backend: a.address, generation: before, cause: 'client-closed' },
    ],
  )
})

test('41. Connections of a listener, an upstream and a worker that are gone live on', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const [kept, gone] = [await freePort(), await freePort()]
  const lb = await LoadBalancerProcess.start(
    t,
    `workers: 4
listeners:
  kept: { bind: "127.0.0.1:${kept}", upstream: new }
  gone: { bind: "127.0.0.1:${gone}", upstream: old }
upstreams:
  new: { servers: [{ address: "${b.address}" }] }
  old: { servers: [{ address: "${a.address}" }] }
`,
  )
  const old = await openClients(t, gone, 64)
  assert.ok((await lb.status()).workers.filter((worker) => worker.connections > 0).length > 1, 'spread over workers')
  await lb.reload(`reload: { watch: false }
workers: 1
listeners: { kept: { bind: "127.0.0.1:${kept}", upstream: new } }
upstreams: { new: { servers: [{ address: "${b.address}" }] } }
`)
  await waitUntil('the listener is gone', async () => (await tryGreeting(t, gone)) === 'ECONNREFUSED')
  assert.equal(await tryGreeting(t, kept), 'b')
  for (const client of old) assert.ok(await client.echoes())
  assert.ok((await lb.status()).workers.some((worker) => worker.state === 'retiring'))
  await Promise.all(old.map((client) => client.end()))
  await waitUntil('workers end with their last connection', async () => (await lb.status()).workers.length === 1)
  assert.equal((await lb.accessLog(64)).filter(({ cause }) => cause === 'client-closed').length, 65)
})
