import assert from 'node:assert/strict'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { freeListenerPort } from '../helpers/free-listener-port.ts'
import { GreetedClient, openClients, tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { needs } from '../helpers/peers.ts'
import { RedisServer } from '../helpers/redis-server.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { startUpstream } from '../helpers/upstream-setup.ts'
import { waitUntil } from '../helpers/wait-until.ts'

async function backendsOf(t: TestContext, port: number, count: number): Promise<string> {
  return (await openClients(t, port, count)).map(({ backend }) => backend).join('')
}

test('A sticky client comes back to its backend, under every worker', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const { port } = await startUpstream(
    t,
    `{ sticky: {}, servers: [{ address: "${a.address}" }, { address: "${b.address}" }] }`,
    'workers: 4',
  )
  assert.match(await backendsOf(t, port, 40), /^(a+|b+)$/)
})

test('A failover moves a sticky client, and it stays there when its first backend is back', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const { port } = await startUpstream(
    t,
    `{ sticky: {}, servers: [{ address: "${a.address}" }, { address: "${b.address}" }] }`,
  )
  assert.equal(await backendsOf(t, port, 3), 'aaa')
  const portOfA = a.port
  a.stop()
  assert.equal(await backendsOf(t, port, 3), 'bbb')
  await NamedBackend.start(t, 'a', portOfA)
  assert.equal(await backendsOf(t, port, 3), 'bbb')
})

test('A sticky client moves for good when its backend is full', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const servers = `[{ address: "${a.address}", maxConnections: 2 }, { address: "${b.address}" }]`
  const { port } = await startUpstream(t, `{ sticky: {}, servers: ${servers} }`)
  assert.equal(await backendsOf(t, port, 5), 'aabbb')
})

test('A draining backend takes back the clients that it had, and one in maintenance none', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const upstream = (state: string) =>
    `{ sticky: {}, servers: [{ address: "${a.address}", state: ${state} }, { address: "${b.address}" }] }`
  const { port, reload } = await startUpstream(t, upstream('ready'))
  assert.equal(await backendsOf(t, port, 1), 'a')
  await reload(upstream('drain'))
  assert.equal(await backendsOf(t, port, 2), 'aa')
  await reload(upstream('maintenance'))
  assert.equal(await backendsOf(t, port, 2), 'bb')
})

test('A client is forgotten when its time is over', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const servers = `[{ address: "${a.address}" }, { address: "${b.address}" }]`
  const { port } = await startUpstream(t, `{ sticky: { ttl: 1s }, servers: ${servers} }`)
  const first = await backendsOf(t, port, 1)
  const deadline = performance.now() + 900
  while (performance.now() < deadline) assert.equal(await tryGreeting(t, port), first)
  await new Promise((resolve) => setTimeout(resolve, 1100))
  assert.notEqual(await tryGreeting(t, port), first)
})

test('A reload keeps sticky entries, also one that reorders and adds backends', async (t) => {
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => NamedBackend.start(t, name)))
  const upstream = (...list: readonly NamedBackend[]) =>
    `{ sticky: {}, servers: [${list.map(({ address }) => `{ address: "${address}" }`)}] }`
  const { port, reload } = await startUpstream(t, upstream(a!, b!))
  assert.equal(await backendsOf(t, port, 2), 'aa')
  await reload(upstream(c!, b!, a!))
  assert.equal(await backendsOf(t, port, 3), 'aaa')
})

/** A sticky client's backend leaves the registry, another one gets its row, and it comes back, with the least weight. */
async function loseBackendForAMoment(t: TestContext, sticky: string) {
  const backends = await Promise.all(['a', 'b', 'c'].map((name) => NamedBackend.start(t, name)))
  const list = join(temporaryDirectory(t), 'members.json')
  const write = (members: readonly NamedBackend[], weight = 1) => {
    const [light, ...heavy] = members.map(({ address }) => ({ address, weight }))
    writeFileSync(`${list}.new`, JSON.stringify([{ ...light, weight: 1 }, ...heavy]))
    renameSync(`${list}.new`, list)
  }
  write(backends)
  const discovery = `{ type: file, path: ${list}, interval: 200ms }`
  const { lb, port } = await startUpstream(t, `{ sticky: ${sticky}, balance: round-robin, discovery: ${discovery} }`)
  const client = await GreetedClient.open(t, port)
  const first = client.backend
  await client.end()
  await waitUntil('its backend is idle', async () =>
    (await lb.status()).upstreams[0]!.backends.every(({ active }) => active === 0),
  )
  const lost = backends.find(({ name }) => name === first)!
  const others = backends.filter(({ name }) => name !== first)
  const has = (count: number) =>
    waitUntil(`it has ${count}`, async () => (await lb.status()).upstreams[0]!.discovery?.members === count)
  write(others)
  await has(2)
  // Its row is another's when it comes back.
  const fourth = await NamedBackend.start(t, 'd')
  write([...others, fourth])
  await has(3)
  // Balanced anew, its client would go elsewhere.
  write([lost, ...others, fourth], 256)
  await has(4)
  return { lb, port, lost }
}

// Whoever did not connect while the registry lacked the backend for a moment was balanced anew when it was back.
test('A sticky client comes back to a backend that discovery had lost for a moment', async (t) => {
  const { port, lost } = await loseBackendForAMoment(t, '{}')
  assert.equal(await backendsOf(t, port, 3), lost.name.repeat(3))
})

// Its entry was named by the row, which was another's by then, and left out where no save had come in between.
test('sticky.persist saves the clients of a backend that discovery had lost for a moment', async (t) => {
  const path = join(temporaryDirectory(t), 'sticky')
  const { lb, lost } = await loseBackendForAMoment(t, `{ persist: { path: ${path} } }`)
  await lb.stop()
  const saved = readFileSync(path, 'utf8')
  assert.ok(saved.includes(`"127.0.0.1","${lost.address}"`), saved)
})

for (const kind of ['a file', 'Redis'] as const) {
  test(
    `sticky.persist keeps entries in ${kind} over a restart`,
    kind === 'Redis' ? needs('redis-server') : {},
    async (t) => {
      const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
      const redis = kind === 'Redis' ? await RedisServer.start(t) : null
      const place =
        redis === null ? `path: ${join(temporaryDirectory(t), 'sticky')}` : `redis: { url: "${redis.url}" }, key: kept`
      const upstream = (list: readonly NamedBackend[]) => `{
    sticky: { persist: { ${place} } }, servers: [${list.map(({ address }) => `{ address: "${address}" }`)}] }`
      const first = await startUpstream(t, upstream([a, b]))
      assert.equal(await backendsOf(t, first.port, 2), 'aa')
      await first.lb.stop()
      const second = await startUpstream(t, upstream([b, a]))
      assert.equal(await backendsOf(t, second.port, 3), 'aaa', 'without the entry it would be b')
    },
  )
}

test('A certificate of sticky.persist that cannot be read refuses nothing, and discovery goes on changing members', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const list = join(temporaryDirectory(t), 'members.json')
  writeFileSync(list, JSON.stringify([a.address]))
  const upstream = (sticky: string) => `{ ${sticky} discovery: { type: file, path: ${list}, interval: 200ms } }`
  const { lb, port, reload } = await startUpstream(t, upstream(''))
  const redis = '{ url: "rediss://127.0.0.1:1", tls: { ca: /no/such/ca.pem } }'
  assert.equal((await reload(upstream(`sticky: { ttl: 1s, persist: { redis: ${redis} } },`))).outcome, 'serving')
  await lb.logged(/Sticky entries are not saved for now.*Cannot read the certificates/)
  writeFileSync(list, JSON.stringify([a.address, b.address]))
  await waitUntil('both serve', async () => (await lb.status()).upstreams[0]!.backends.length === 2)
  assert.match(await backendsOf(t, port, 2), /^(aa|bb)$/)
})

test('limits.stickyClients bounds the clients that are remembered; a reload that changes it has a warning', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const path = join(temporaryDirectory(t), 'sticky')
  const endsAtMs = Date.now() + 1_700_000
  const entry = (n: number) => JSON.stringify(['web', `10.0.${n >> 8}.${n & 255}`, a.address, endsAtMs])
  const entries = Array.from({ length: 10_000 }, (_, n) => entry(n))
  writeFileSync(path, `{"mcs-lb":"sticky","version":1}\n${entries.join('\n')}\n`)
  const servers = `[{ address: "${a.address}" }, { address: "${b.address}" }]`
  const port = await freeListenerPort()
  const config = (clients: number) => `reload: { watch: false }
limits: { stickyClients: ${clients} }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { sticky: { persist: { path: ${path} } }, servers: ${servers} } }
`
  const lb = await LoadBalancerProcess.start(t, config(1024))
  const result = await lb.reload(config(2048))
  const warning = 'limits.stickyClients takes effect at the next start: 2048 in the file, 1024 in use'
  assert.ok(result.outcome === 'serving')
  assert.deepEqual(result.warnings, [warning])
  await lb.logged(/warn .*limits\.stickyClients takes effect at the next start configured=2048 inUse=1024/)
  assert.equal(await tryGreeting(t, port), 'a')
  assert.equal(await lb.stop(), 0)
  // The table has twice as many slots, so that few clients make room before there are as many as it is for.
  const kept = readFileSync(path, 'utf8').trimEnd().split('\n').length - 1
  assert.ok(kept >= 1024 && kept <= 2048, `${kept} clients are kept`)
})
