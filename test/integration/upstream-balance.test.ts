import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { countByBackend, endClients, GreetedClient, openClients, tryGreeting } from '../helpers/greeted-client.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { startUpstream } from '../helpers/upstream-setup.ts'
import { waitUntil } from '../helpers/wait-until.ts'

const algorithms = ['round-robin', 'least-connections', 'random', 'random-two', 'source-hash', 'least-latency']

test('16. A backup serves only while no primary can, and primaries get everything back', async (t) => {
  const primary = await NamedBackend.start(t, 'primary')
  const backup = await NamedBackend.start(t, 'backup')
  const { lb, port } = await startUpstream(
    t,
    `{ servers: [{ address: "${primary.address}" }, { address: "${backup.address}", backup: true }] }`,
  )
  const { backends } = (await lb.status()).upstreams[0]!
  assert.deepEqual(
    backends.map((row) => row.backup),
    [false, true],
  )
  assert.deepEqual(countByBackend(await openClients(t, port, 6)), { primary: 6 })
  const { port: primaryPort } = primary
  primary.stop()
  assert.deepEqual(countByBackend(await openClients(t, port, 6)), { backup: 6 })
  await NamedBackend.start(t, 'primary', primaryPort)
  assert.deepEqual(countByBackend(await openClients(t, port, 6)), { primary: 6 })
})

test('16. Priorities serve one after the other, as those before them fill up', async (t) => {
  const backends = await Promise.all(['a', 'b', 'c'].map((name) => NamedBackend.start(t, name)))
  const servers = backends.map(({ address }, i) => `{ address: "${address}", priority: ${i * 3}, maxConnections: 2 }`)
  const { port } = await startUpstream(t, `{ servers: [${servers}] }`)
  const clients = await openClients(t, port, 6)
  assert.deepEqual(
    clients.map(({ backend }) => backend),
    ['a', 'a', 'b', 'b', 'c', 'c'],
  )
})

test('19. Least-connections is even when idle, and avoids a busy backend', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const servers = `[{ address: "${a.address}" }, { address: "${b.address}" }]`
  const { port, reload } = await startUpstream(t, `{ balance: least-connections, servers: ${servers} }`)
  const even = await openClients(t, port, 10)
  assert.deepEqual(countByBackend(even), { a: 5, b: 5 })
  await endClients(even)
  await waitUntil('all are gone', () => a.open + b.open === 0)
  await reload(`{ balance: least-connections, servers: [{ address: "${a.address}" }] }`)
  await openClients(t, port, 20)
  await reload(`{ balance: least-connections, servers: ${servers} }`)
  assert.deepEqual(countByBackend(await openClients(t, port, 10)), { b: 10 })
})

test('19. Least-connections stays exact when four workers choose', async (t) => {
  const backends = await Promise.all(['a', 'b', 'c', 'd'].map((name) => NamedBackend.start(t, name)))
  const servers = backends.map(({ address }) => `{ address: "${address}" }`)
  const { port } = await startUpstream(t, `{ balance: least-connections, servers: [${servers}] }`, 'workers: 4')
  assert.deepEqual(countByBackend(await openClients(t, port, 80)), { a: 20, b: 20, c: 20, d: 20 })
})

test('20. Source hash keeps a client on one backend, and two instances agree on it', async (t) => {
  const backends = await Promise.all(['a', 'b', 'c'].map((name) => NamedBackend.start(t, name)))
  const servers = backends.map(({ address }) => `{ address: "${address}" }`)
  const one = await startUpstream(t, `{ balance: source-hash, servers: [${servers}] }`)
  const other = await startUpstream(t, `{ balance: source-hash, servers: [${servers.toReversed()}] }`, 'workers: 2')
  const chosen = new Set((await openClients(t, one.port, 10)).map(({ backend }) => backend))
  assert.equal(chosen.size, 1)
  assert.deepEqual(new Set((await openClients(t, other.port, 10)).map(({ backend }) => backend)), chosen)
})

test('20. Source hash moves only the clients of a removed backend, and they come back with it', async (t) => {
  const backends = await Promise.all(['a', 'b', 'c'].map((name) => NamedBackend.start(t, name)))
  const servers = backends.map(({ address }) => `{ address: "${address}" }`)
  const upstream = (list: readonly string[]) => `{ balance: source-hash, servers: [${list}] }`
  const { port, reload } = await startUpstream(t, upstream(servers))
  const places = async () => {
    const clients = []
    for (let i = 1; i <= 40; i++) {
      const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.1.${i}` })
      clients.push(await GreetedClient.greet(t, socket))
    }
    return clients.map(({ backend }) => backend)
  }
  const before = await places()
  assert.equal(new Set(before).size, 3)
  await reload(upstream(servers.slice(1)))
  const without = await places()
  before.forEach((backend, i) => {
    if (backend !== 'a') assert.equal(without[i], backend)
    else assert.notEqual(without[i], 'a')
  })
  await reload(upstream(servers))
  assert.deepEqual(await places(), before)
})

for (const balance of algorithms) {
  test(`21. maxConnections holds under ${balance}, a close frees the place, and what overflows goes to the backup`, async (t) => {
    const [a, b, spare] = await Promise.all(['a', 'b', 'spare'].map((name) => NamedBackend.start(t, name)))
    const { port } = await startUpstream(
      t,
      `
    balance: ${balance}
    servers:
      - { address: "${a!.address}", maxConnections: 3, weight: 5 }
      - { address: "${b!.address}", maxConnections: 3 }
      - { address: "${spare!.address}", maxConnections: 2, backup: true }
`,
      'workers: 2',
    )
    const clients = await openClients(t, port, 8)
    assert.deepEqual(countByBackend(clients), { a: 3, b: 3, spare: 2 })
    assert.equal(await tryGreeting(t, port), 'ECONNRESET', 'past the backup it is turned away')
    const freed = clients.find(({ backend }) => backend === 'a')!
    await freed.end()
    await waitUntil('a new client gets its place', async () => (await tryGreeting(t, port)) === 'a')
  })
}

test('15. A backend in drain gets no new client and keeps those that it has', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const upstream = (state: string) =>
    `{ servers: [{ address: "${a.address}", state: ${state} }, { address: "${b.address}" }] }`
  const { lb, port, reload } = await startUpstream(t, upstream('ready'))
  const clients = await openClients(t, port, 4)
  for (const state of ['drain', 'maintenance'] as const) {
    await reload(upstream(state))
    assert.deepEqual(countByBackend(await openClients(t, port, 4)), { b: 4 })
    assert.equal((await lb.status()).upstreams[0]?.backends[0]?.state, state)
  }
  for (const client of clients) assert.ok(await client.echoes())
  await reload(upstream('ready'))
  assert.deepEqual(countByBackend(await openClients(t, port, 4)), { a: 2, b: 2 })
})

for (const workers of [1, 2, 4]) {
  test(`14. Exact algorithms are exact, and chance is even, with ${workers} workers`, async (t) => {
    const backends = await Promise.all(['a', 'b', 'c'].map((name) => NamedBackend.start(t, name)))
    const servers = backends.map(({ address }) => `{ address: "${address}" }`)
    const upstream = (balance: string) => `{ balance: ${balance}, servers: [${servers}] }`
    const { port, reload } = await startUpstream(t, upstream('round-robin'), `workers: ${workers}`)
    for (const balance of ['round-robin', 'least-connections'] as const) {
      await reload(upstream(balance))
      const clients = await openAtOnce(t, port, 60)
      assert.deepEqual(countByBackend(clients), { a: 20, b: 20, c: 20 }, balance)
      await endClients(clients)
      await waitUntil('all are gone', () => backends.every(({ open }) => open === 0))
    }
    for (const balance of ['random', 'random-two', 'least-latency'] as const) {
      await reload(upstream(balance))
      const clients = await openAtOnce(t, port, 300)
      const chiSquare = Object.values(countByBackend(clients)).reduce((sum, n) => sum + (n - 100) ** 2 / 100, 0)
      // Two degrees of freedom: chance alone is above 18.4 once in ten thousand times. Connections that time their
      // connects are no chance, and only have to be spread.
      assert.ok(chiSquare < (balance === 'least-latency' ? 100 : 18.4), `${balance}: ${chiSquare}`)
      await endClients(clients)
      await waitUntil('all are gone', () => backends.every(({ open }) => open === 0))
    }
  })
}

/** Opens so many clients side by side, so that workers choose at the same time. */
async function openAtOnce(t: TestContext, port: number, count: number): Promise<GreetedClient[]> {
  return await Promise.all(Array.from({ length: count }, () => GreetedClient.open(t, port)))
}
