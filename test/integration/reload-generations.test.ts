import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freeListenerPort } from '../helpers/free-listener-port.ts'
import { freePort } from '../helpers/free-port.ts'
import { endClients, GreetedClient } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { openDescriptors, residentBytes, restingDescriptorCount, threadCount } from '../helpers/process-usage.ts'
import { waitUntil } from '../helpers/wait-until.ts'

const RELOADS = 50
/** Changes of the workers: more than half of them pass before the heaps have their size. */
const CHANGES = 160
/** What the last 80 of them may add to the resident memory. MiB. */
const GROWTH_LIMIT_MIB = 24
const MIB = 1024 * 1024

test('43. Fifty generations live as long as their connections, and cost neither threads nor descriptors', async (t) => {
  const backends = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const config = (n: number) => `reload: { watch: false }
workers: 2
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web, timeouts: { idle: ${60 + n}s } } }
upstreams: { web: { servers: [{ address: "${backends[n % 2]!.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config(0))
  const threads = threadCount(lb.pid)
  const descriptors = await restingDescriptorCount(lb.pid)
  const clients = new Map<number, GreetedClient>()
  for (let n = 1; n <= RELOADS; n++) {
    const result = await lb.reload(config(n))
    assert.equal(result.outcome, 'serving')
    clients.set(result.generation, await GreetedClient.open(t, port))
  }
  assert.equal(threadCount(lb.pid), threads)
  assert.equal(await restingDescriptorCount(lb.pid), descriptors + 2 * RELOADS)
  const listed = async () => (await lb.status()).generations
  assert.deepEqual(
    await listed(),
    [...clients.keys()].map((generation) => ({ generation, connections: 1 })),
  )

  // Every other one ends: its generation goes, those before and after it stay.
  const [even, odd] = [0, 1].map((rest) => [...clients].filter(([generation]) => generation % 2 === rest))
  await endClients(even!.map(([, client]) => client))
  await waitUntil('their generations are gone', async () => (await listed()).length === odd!.length)
  assert.deepEqual(
    (await listed()).map(({ generation }) => generation),
    odd!.map(([generation]) => generation),
  )
  for (const [, client] of odd!) assert.ok(await client.echoes())
  await endClients(odd!.map(([, client]) => client))
  await waitUntil('all are gone', async () => (await listed()).length === 0)
  await waitUntil('so are their descriptors', () => openDescriptors(lb.pid).length === descriptors)
  assert.equal(threadCount(lb.pid), threads)
})

test('43. Workers and sockets that come and go again and again leave nothing behind', async (t) => {
  const backend = await NamedBackend.start(t, 'a')
  const [port, extra] = [await freePort(), await freeListenerPort()]
  // Every reload changes the workers, every tenth adds or removes a listener as well.
  const config = (n: number) => `reload: { watch: false }
workers: ${n % 2 === 0 ? 1 : 3}
listeners:
  edge: { bind: "127.0.0.1:${port}", upstream: web }
  ${n % 20 < 10 ? '' : `extra: { bind: "127.0.0.1:${extra}", upstream: web }`}
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config(0))
  const client = await GreetedClient.open(t, port)
  const threads = threadCount(lb.pid)
  const descriptors = await restingDescriptorCount(lb.pid)
  const memory: number[] = []
  for (let n = 1; n <= CHANGES; n++) {
    assert.equal((await lb.reload(config(n))).outcome, 'serving')
    memory.push(residentBytes(lb.pid))
  }
  await waitUntil('the last workers have ended', () => threadCount(lb.pid) === threads)
  await waitUntil('nothing is left open', () => openDescriptors(lb.pid).length === descriptors)
  // The least of twenty: memory goes up and down with every collection of garbage.
  const [before, after] = [memory.slice(60, 80), memory.slice(-20)].map((samples) => Math.min(...samples) / MIB)
  const grownMib = after! - before!
  assert.ok(grownMib < GROWTH_LIMIT_MIB, `80 changes of the workers added ${grownMib.toFixed(1)} MiB`)
  assert.ok(await client.echoes())
})
