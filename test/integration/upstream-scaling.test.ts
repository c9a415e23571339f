import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { atEnd } from '../helpers/cleanup.ts'
import { openClients, tryGreeting } from '../helpers/greeted-client.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { needs } from '../helpers/peers.ts'
import { RedisServer } from '../helpers/redis-server.ts'
import { startUpstream } from '../helpers/upstream-setup.ts'
import { waitUntil } from '../helpers/wait-until.ts'

/** Longer and with more by hand: SOAK_SECONDS=60 npm test -- upstream-scaling. */
const SECONDS = Number(process.env.SOAK_SECONDS ?? 6)
const CLIENTS = SECONDS < 60 ? 200 : 500

/** Has `clients` connect one after the other, again and again, until `isOver`. Returns what each came to. */
async function load(
  t: TestContext,
  port: number,
  clients: number,
  isOver: () => boolean,
): Promise<Map<string, number>> {
  const results = new Map<string, number>()
  const run = async () => {
    while (!isOver()) {
      const result = await tryGreeting(t, port)
      results.set(result, (results.get(result) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: clients }, run))
  return results
}

test('Backends that are scaled up and down at random cost no client an error', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  const { lb, port } = await startUpstream(
    t,
    `{ discovery: { type: redis-keys, redis: { url: "${redis.url}" }, interval: 200ms } }`,
  )
  const running = new Map<string, NamedBackend>()
  const beat = async (backend: NamedBackend) =>
    void (await redis.client.call('SET', `mcs:node:${backend.address}`, '', 'PX', '1500'))
  const grow = async () => {
    const backend = await NamedBackend.start(t, 'ok')
    running.set(backend.address, backend)
    await beat(backend)
  }
  /** As a server goes that is told to: it takes itself out of the registry, and listens until nobody is sent to it. */
  const shrink = async (backend: NamedBackend) => {
    running.delete(backend.address)
    await redis.client.call('DEL', `mcs:node:${backend.address}`)
    const isListed = async () => (await lb.servingBackends()).some(({ address }) => address === backend.address)
    await waitUntil('nobody is sent to it', async () => !(await isListed()))
    backend.close()
  }
  for (let i = 0; i < 10; i++) await grow()
  await waitUntil('ten serve', async () => (await lb.servingBackends()).length === 10)
  const endsAt = performance.now() + SECONDS * 1000
  const isOver = () => performance.now() >= endsAt
  const heart = setInterval(() => {
    // What fails here shows in what the clients see; Redis is gone before this is over.
    for (const backend of running.values()) beat(backend).catch(() => {})
  }, 400)
  atEnd(t, () => clearInterval(heart))
  const scaling = (async () => {
    for (let step = 0; !isOver(); step++) {
      const addresses = [...running.keys()]
      if (addresses.length < 8 || (addresses.length < 20 && step % 2 === 0)) await grow()
      else await shrink([...running.values()][step % running.size]!)
    }
  })()
  const results = await load(t, port, 8, isOver)
  await scaling
  assert.deepEqual([...results.keys()], ['ok'], `${JSON.stringify([...results])}`)
  assert.equal((await lb.status()).generation, 1)
})

test(
  'A backend that is killed gets no connection later than its time to live and a second',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const program = fileURLToPath(new URL('../helpers/lone-backend.js', import.meta.url))
    const child = fork(program, { stdio: 'ignore' })
    atEnd(t, () => child.kill('SIGKILL'))
    const [address] = (await once(child, 'message')) as [string]
    const living = await NamedBackend.start(t, 'living')
    await redis.client.call('SET', `mcs:node:${living.address}`, '', 'EX', '600')
    await redis.client.call('SET', `mcs:node:${address}`, '', 'EX', '600')
    const { lb, port } = await startUpstream(
      t,
      `{ discovery: { type: redis-keys, redis: { url: "${redis.url}" }, interval: 500ms } }`,
    )
    await waitUntil('it has served', async () => (await tryGreeting(t, port)) === 'lone')
    await redis.client.call('SET', `mcs:node:${address}`, '', 'PX', '2000')
    const killedAt = performance.now()
    child.kill('SIGKILL')
    // What it had accepted and not answered by then dies with it.
    await once(child, 'exit')
    let lastAttemptAt = killedAt
    let failures = 0
    while (performance.now() - killedAt < 4500) {
      assert.equal(await tryGreeting(t, port), 'living', 'no client meets an error in between')
      const { connectFailures } = (await lb.status()).upstreams[0]!.backends.find((one) => one.address === address) ?? {
        connectFailures: failures,
      }
      if (connectFailures > failures) lastAttemptAt = performance.now()
      failures = connectFailures
    }
    assert.ok(failures > 0, 'it was tried while its key lived')
    assert.ok(lastAttemptAt - killedAt < 3000, `the last attempt was ${lastAttemptAt - killedAt} ms after its end`)
  },
)

test(
  'Five updates of discovery a second make no generation, and counts stay exact',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const backends = await Promise.all(Array.from({ length: 6 }, () => NamedBackend.start(t, 'ok')))
    const announce = ({ address }: NamedBackend) => redis.client.call('SET', `mcs:node:${address}`, '', 'EX', '600')
    for (const backend of backends) await announce(backend)
    const { lb, port } = await startUpstream(
      t,
      `{ discovery: { type: redis-keys, redis: { url: "${redis.url}" }, interval: 100ms, maxRemoval: 100% } }`,
    )
    await waitUntil('six serve', async () => (await lb.servingBackends()).length === 6)
    const clients = await openClients(t, port, CLIENTS)
    const endsAt = performance.now() + SECONDS * 1000
    for (let step = 0; performance.now() < endsAt; step++) {
      const backend = backends[step % 6]!
      await redis.client.call('DEL', `mcs:node:${backend.address}`)
      await new Promise((resolve) => setTimeout(resolve, 150))
      await announce(backend)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    await waitUntil('six serve', async () => (await lb.servingBackends()).length === 6)
    const { generation, generations, upstreams } = await lb.status()
    assert.equal(generation, 1)
    assert.deepEqual(generations, [{ generation: 1, connections: CLIENTS }])
    assert.equal(
      upstreams[0]!.backends.reduce((sum, { active }) => sum + active, 0),
      CLIENTS,
    )
    for (const client of clients) assert.ok(await client.echoes())
  },
)

test('A backend that is killed gets no connection later than its checks take to find out', async (t) => {
  const program = fileURLToPath(new URL('../helpers/lone-backend.js', import.meta.url))
  const child = fork(program, { stdio: 'ignore' })
  atEnd(t, () => child.kill('SIGKILL'))
  const [address] = (await once(child, 'message')) as [string]
  const living = await NamedBackend.start(t, 'living')
  const { lb, port } = await startUpstream(
    t,
    `
    servers: [{ address: "${address}" }, { address: "${living.address}" }]
    health: { interval: 300ms, timeout: 300ms, fall: 2, jitter: 0% }
`,
  )
  const failuresOf = async () => (await lb.status()).upstreams[0]!.backends[0]!.connectFailures
  await waitUntil('it has served', async () => (await tryGreeting(t, port)) === 'lone')
  const killedAt = performance.now()
  child.kill('SIGKILL')
  // What it had accepted and not answered by then dies with it.
  await once(child, 'exit')
  // Two pauses and a timeout, and as much again for a machine that is busy.
  while (performance.now() - killedAt < 1800) assert.equal(await tryGreeting(t, port), 'living')
  const failures = await failuresOf()
  for (let i = 0; i < 20; i++) assert.equal(await tryGreeting(t, port), 'living')
  assert.equal(await failuresOf(), failures, 'it is not tried any more')
  assert.equal((await lb.status()).upstreams[0]!.backends[0]!.state, 'down')
})
