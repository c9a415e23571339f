import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { countByBackend, GreetedClient, openClients, tryGreeting } from '../helpers/greeted-client.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { needs } from '../helpers/peers.ts'
import { RedisServer } from '../helpers/redis-server.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { startUpstream } from '../helpers/upstream-setup.ts'
import { waitUntil } from '../helpers/wait-until.ts'

async function start(t: TestContext, upstream: string, state = 'none') {
  const { lb, port } = await startUpstream(t, upstream, `state: { directory: ${state} }`)
  const members = async () => (await lb.servingBackends()).map(({ address }) => address).sort()
  const becomes = (...wanted: readonly NamedBackend[]) => {
    const addresses = String(wanted.map(({ address }) => address).sort())
    return waitUntil(`the backends are ${addresses}`, async () => String(await members()) === addresses, 15_000)
  }
  return { lb, port, becomes, members }
}

const keysOf = (redis: RedisServer, more = '', interval = '200ms') =>
  `{ discovery: { type: redis-keys, redis: { url: "${redis.url}" }, interval: ${interval}${more} } }`

/** Publishes a backend as the chat servers do: a key that lives for `ttl` seconds. */
async function announce(redis: RedisServer, { address }: NamedBackend, ttl = 60, value = ''): Promise<void> {
  await redis.client.call('SET', `mcs:node:${address}`, value, 'EX', `${ttl}`)
}

test(
  'Backends that announce themselves in Redis serve, and go when their key does, under one generation',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => NamedBackend.start(t, name)))
    await announce(redis, a!)
    await announce(redis, b!)
    const { lb, port, becomes } = await start(t, keysOf(redis))
    await becomes(a!, b!)
    const [, clientOfB] = await openClients(t, port, 2)
    await announce(redis, c!)
    await becomes(a!, b!, c!)
    await announce(redis, b!, 1)
    await becomes(a!, c!)
    assert.deepEqual(countByBackend(await openClients(t, port, 6)), { a: 3, c: 3 })
    assert.ok(await clientOfB!.echoes(), 'a connection outlives the announcement of its backend')
    assert.equal((await lb.status()).generation, 1)
  },
)

test(
  'A registry that is flushed, killed or restarted empty keeps the last good backends',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const [a, b] = await Promise.all(['a', 'b'].map((name) => NamedBackend.start(t, name)))
    await announce(redis, a!)
    await announce(redis, b!)
    const { lb, port, becomes } = await start(t, keysOf(redis))
    await becomes(a!, b!)
    await redis.client.call('FLUSHALL')
    await lb.logged(/Discovery (holds an update back|finds nobody)/)
    assert.deepEqual(countByBackend(await openClients(t, port, 4)), { a: 2, b: 2 })
    await redis.kill()
    await lb.logged(/Discovery lost its source/)
    assert.deepEqual(countByBackend(await openClients(t, port, 4)), { a: 2, b: 2 })
    await redis.start()
    const c = await NamedBackend.start(t, 'c')
    for (const backend of [a!, b!, c]) await announce(redis, backend)
    await becomes(a!, b!, c)
  },
)

test(
  'The last good backends are kept on disk, and serve at the next start though Redis is away',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const a = await NamedBackend.start(t, 'a')
    await announce(redis, a)
    const state = temporaryDirectory(t)
    const first = await start(t, keysOf(redis), state)
    await first.becomes(a)
    await first.lb.stop()
    await redis.kill()
    const second = await start(t, keysOf(redis), state)
    assert.equal(await tryGreeting(t, second.port), 'a')
  },
)

test('Poison in the registry is skipped: only what is allowed becomes a backend', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  const a = await NamedBackend.start(t, 'a')
  const bad = [
    '10.9.9.9:80',
    'nonsense',
    '127.0.0.1:0',
    '127.0.0.1:99999',
    '[::1',
    '../../etc:1',
    '0.0.0.0:9',
    '\u0000:1',
  ]
  for (const name of bad) await redis.client.call('SET', `mcs:node:${name}`, '')
  await redis.client.call('LPUSH', 'mcs:node:127.0.0.1:7', 'x')
  await redis.client.call('SET', 'mcs:node:127.0.0.1:8', '{"weight":"many"}')
  await announce(redis, a)
  const { lb, port, becomes } = await start(
    t,
    keysOf(redis, ', allow: { networks: [127.0.0.0/8], ports: [1024-65535] }'),
  )
  await becomes(a)
  assert.equal(await tryGreeting(t, port), 'a')
  await lb.logged(/Discovery refuses entries/)
})

test('A sorted set of heartbeats gives the backends whose heart beats', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  const [a, b] = await Promise.all(['a', 'b'].map((name) => NamedBackend.start(t, name)))
  const nowS = Math.floor(Date.now() / 1000)
  await redis.client.call('ZADD', 'mcs:node', `${nowS}`, a!.address, `${nowS - 600}`, b!.address)
  const { becomes } = await start(
    t,
    `{ discovery: { type: redis-sorted-set, redis: { url: "${redis.url}" }, interval: 200ms, maxAge: 60s } }`,
  )
  await becomes(a!)
  await redis.client.call('ZADD', 'mcs:node', `${Date.now()}`, b!.address)
  await becomes(a!, b!)
})

test('A watched list in a file gives backends, with weights and backups', async (t) => {
  const [a, b] = await Promise.all(['a', 'b'].map((name) => NamedBackend.start(t, name)))
  const file = join(temporaryDirectory(t), 'members.yaml')
  writeFileSync(file, `- { address: "${a!.address}", weight: 2 }\n- "${b!.address}"\n`)
  const { lb, port, becomes } = await start(t, `{ discovery: { type: file, path: ${file} } }`)
  await becomes(a!, b!)
  assert.deepEqual(countByBackend(await openClients(t, port, 6)), { a: 4, b: 2 })
  writeFileSync(
    file,
    `[{ "address": "${a!.address}" }, { "address": "${b!.address}", "backup": true, "zone": "south" }]`,
  )
  await waitUntil('b is a backup', async () => {
    const { backends } = (await lb.status()).upstreams[0]!
    return backends.some(({ address, priority, zone }) => address === b!.address && priority > 0 && zone === 'south')
  })
  assert.deepEqual(countByBackend(await openClients(t, port, 4)), { a: 4 })
  writeFileSync(file, '{ broken')
  await lb.logged(/warn .*members\.yaml/)
  assert.deepEqual(countByBackend(await openClients(t, port, 4)), { a: 4 })
})

test(
  'Updates of discovery make no generation, and long connections keep their counts',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const backends = await Promise.all(['a', 'b', 'c'].map((name) => NamedBackend.start(t, name)))
    for (const backend of backends) await announce(redis, backend)
    const { lb, port, becomes } = await start(t, keysOf(redis, ', maxRemoval: 100%', '100ms'))
    await becomes(...backends)
    const clients = await openClients(t, port, 30)
    for (let round = 0; round < 10; round++) {
      const [gone, ...rest] = backends
      await redis.client.call('DEL', `mcs:node:${gone!.address}`)
      await becomes(...rest)
      await announce(redis, gone!)
      await becomes(...backends)
    }
    const status = await lb.status()
    assert.equal(status.generation, 1)
    assert.deepEqual(status.generations, [{ generation: 1, connections: 30 }])
    assert.deepEqual(status.upstreams[0]!.backends.map(({ active }) => active).toSorted(), [10, 10, 10])
    for (const client of clients) assert.ok(await client.echoes())
    await Promise.all(clients.map((client) => client.end()))
    await waitUntil('nothing is counted any more', async () => (await lb.status()).connections.active === 0)
    assert.deepEqual(new Set((await lb.status()).upstreams[0]!.backends.map(({ active }) => active)), new Set([0]))
  },
)

test(
  'A discovered backend that is a listener of the same file is refused: it would be a loop',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const a = await NamedBackend.start(t, 'a')
    const { lb, port, becomes } = await start(t, keysOf(redis))
    await redis.client.call('SET', `mcs:node:127.0.0.1:${port}`, '')
    await announce(redis, a)
    await becomes(a)
    await lb.logged(/Discovery refuses entries/)
    const client = await GreetedClient.open(t, port)
    assert.equal(client.backend, 'a')
  },
)

test('A Redis that is paused, or too slow to answer, changes nothing', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  const [a, b] = await Promise.all(['a', 'b'].map((name) => NamedBackend.start(t, name)))
  await announce(redis, a!)
  await announce(redis, b!)
  const { lb, port, becomes } = await start(t, keysOf(redis))
  await becomes(a!, b!)
  await announce(redis, a!, 3)
  await announce(redis, b!, 3)
  const sinceMs = Date.now()
  const readAtMs = async () => (await lb.status()).upstreams[0]!.discovery?.lastGoodReadMs ?? 0
  await waitUntil('it knows when they end', async () => (await readAtMs()) > sinceMs + 200)
  await redis.client.call('CLIENT', 'PAUSE', '5000', 'ALL')
  await lb.logged(/Discovery lost its source/)
  assert.deepEqual(countByBackend(await openClients(t, port, 4)), { a: 2, b: 2 })
  await lb.logged(/Discovery (reads its source|finds nobody)[\s\S]*Discovery (reads its source|finds nobody)/)
  assert.deepEqual(countByBackend(await openClients(t, port, 4)), { a: 2, b: 2 })
})

test(
  'A backend that was found is drained by a row of the file, also when its entry goes meanwhile',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
    await announce(redis, a)
    const upstream = (servers: string) =>
      `{ connections: { onRemoved: close }, servers: [${servers}],
         discovery: { type: redis-keys, redis: { url: "${redis.url}" }, interval: 200ms } }`
    const { lb, port, reload } = await startUpstream(t, upstream(''))
    const statesBecome = (wanted: string) => {
      const states = async () => (await lb.status()).upstreams[0]!.backends.map(({ state }) => state)
      return waitUntil(`the states are ${wanted}`, async () => String(await states()) === wanted)
    }
    await statesBecome('up')
    const live = await GreetedClient.open(t, port)
    await announce(redis, b)
    await statesBecome('up,up')
    await reload(upstream(`{ address: "${a.address}", state: drain }`))
    await statesBecome('drain,up')
    assert.deepEqual(countByBackend(await openClients(t, port, 4)), { b: 4 })
    await redis.client.call('DEL', `mcs:node:${a.address}`)
    const c = await NamedBackend.start(t, 'c')
    await announce(redis, c)
    await statesBecome('drain,up,up')
    assert.ok(await live.echoes(), 'the row keeps the backend, and its connections')
    await reload(upstream(''))
    await statesBecome('up,up')
    await live.ended
  },
)
