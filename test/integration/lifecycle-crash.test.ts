import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { endClients, GreetedClient, openClients, tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { restingDescriptorCount, threadCount } from '../helpers/process-usage.ts'
import { waitUntil } from '../helpers/wait-until.ts'
import { WorkerFault } from '../helpers/worker-fault.ts'

/** Places at the backend that is limited, and clients of the other. */
const ROOM = 80
const MORE = 120

test('a worker that throws costs its own connections only, and gives back all that it held', async (t) => {
  const [full, free] = [await NamedBackend.start(t, 'full'), await NamedBackend.start(t, 'free')]
  const [limited, open] = [await freePort(), await freePort()]
  const fault = new WorkerFault(t, 'throws')
  const lb = await LoadBalancerProcess.start(t, {
    // Room for all that are open at once, and one that is turned away: a place that is not given back will be missed.
    config: `workers: 4
limits: { connections: ${ROOM + MORE + 1} }
listeners:
  limited: { bind: "127.0.0.1:${limited}", upstream: limited }
  open: { bind: "127.0.0.1:${open}", upstream: open }
upstreams:
  limited: { servers: [{ address: "${full.address}", maxConnections: ${ROOM} }] }
  open: { servers: [{ address: "${free.address}" }] }
`,
    nodeOptions: fault.nodeOptions,
  })
  const descriptors = await restingDescriptorCount(lb.pid)
  const threads = threadCount(lb.pid)
  const clients = await openClients(t, limited, ROOM)
  assert.equal(await tryGreeting(t, limited), 'ECONNRESET', 'there is no room for one more')
  const heldBefore = (await lb.status()).workers.map(({ connections }) => connections)

  const lost: GreetedClient[] = []
  for (const client of clients) client.socket.once('close', () => lost.push(client))
  fault.arm()
  clients[0]!.socket.write('this one is hit\n')
  const hitAt = performance.now()
  await waitUntil('another takes its place', async () =>
    (await lb.status()).workers.some(({ restarts }) => restarts > 0),
  )
  const { workers } = await lb.status()
  assert.deepEqual(
    workers.map(({ id }) => id),
    [0, 1, 2, 3],
  )
  const hit = workers.find(({ restarts }) => restarts === 1)!.id
  await waitUntil('its clients notice', () => lost.length >= heldBefore[hit]!)
  const survivors = clients.filter((client) => !lost.includes(client))
  assert.equal(lost.length, heldBefore[hit])
  assert.ok(lost.length > 0 && survivors.length > 0)
  for (const client of survivors) assert.ok(await client.echoes())
  await waitUntil('the backend notices', () => full.open === survivors.length)
  assert.match(
    lb.stderr,
    new RegExp(`A worker threw.*worker=${hit} code=MCS_WORKER_CRASHED.*lostConnections=${lost.length}`),
  )

  const after = await lb.status()
  const [limitedListener] = after.listeners
  assert.equal(after.connections.active, survivors.length)
  assert.equal(limitedListener!.active, survivors.length)
  assert.equal(after.upstreams[0]!.backends[0]!.active, survivors.length)
  assert.deepEqual(after.generations, [{ generation: after.generation, connections: survivors.length }])
  assert.deepEqual(
    after.workers.map(({ connections }) => connections),
    heldBefore.map((count, id) => (id === hit ? 0 : count)),
  )
  assert.ok(limitedListener!.accepted >= ROOM, 'counters go on')
  assert.equal(await restingDescriptorCount(lb.pid), descriptors + 2 * survivors.length)
  assert.equal(threadCount(lb.pid), threads)

  const more = await openClients(t, open, MORE)
  const share = (await lb.status()).workers.map(
    ({ connections }, id) => connections - (id === hit ? 0 : heldBefore[id]!),
  )
  assert.ok(
    share.every((count) => count > 0),
    `every worker accepts: ${share}`,
  )
  assert.ok(performance.now() - hitAt < 5000)
  const refill = await openClients(t, limited, lost.length)
  assert.equal(await tryGreeting(t, limited), 'ECONNRESET', 'the room is exactly what it was')

  await endClients([...survivors, ...more, ...refill])
  await waitUntil('nothing is open', async () => (await lb.status()).connections.active === 0)
  const end = await lb.status()
  assert.deepEqual(
    end.listeners.map(({ active }) => active),
    [0, 0],
  )
  assert.deepEqual(
    end.upstreams.map(({ backends }) => backends[0]!.active),
    [0, 0],
  )
  assert.equal(await restingDescriptorCount(lb.pid), descriptors)
})

test('a worker that threw is back within a second, and serves the file of a reload that came meanwhile', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const fault = new WorkerFault(t, 'throws')
  const config = (backend: NamedBackend) => `reload: { watch: false }
workers: 1
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, { config: config(a), nodeOptions: fault.nodeOptions })
  const client = await GreetedClient.open(t, port)
  fault.arm()
  client.socket.write('hit\n')
  await client.ended
  // The only worker is gone, and its clients wait in the backlog meanwhile.
  const goneAt = performance.now()
  assert.equal(await tryGreeting(t, port), 'a')
  assert.ok(performance.now() - goneAt < 1000, 'within a second')

  const next = await GreetedClient.open(t, port)
  fault.arm()
  next.socket.write('hit\n')
  const result = await lb.reload(config(b))
  assert.equal(result.outcome, 'serving')
  await next.ended
  assert.equal(await tryGreeting(t, port), 'b')
  const { workers, lastReload } = await lb.status()
  assert.deepEqual([workers[0]?.restarts, lastReload.result], [2, 'serving'])
})

test('five workers that throw within a minute end the process with 1', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const port = await freePort()
  const fault = new WorkerFault(t, 'throws')
  const lb = await LoadBalancerProcess.start(t, {
    config: `workers: 2
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`,
    nodeOptions: fault.nodeOptions,
  })
  for (let crash = 1; crash <= 5; crash++) {
    const client = await GreetedClient.open(t, port)
    fault.arm()
    client.socket.write('hit\n')
    await client.ended
    if (crash === 4) assert.equal(await tryGreeting(t, port), 'a', 'four are survived')
  }
  assert.equal(await lb.exited, 1)
  assert.match(lb.stderr, /Too many workers threw within a minute/)
})
