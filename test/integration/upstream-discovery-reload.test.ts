import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { freeListenerPort } from '../helpers/free-listener-port.ts'
import { tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { needs } from '../helpers/peers.ts'
import { RedisServer } from '../helpers/redis-server.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { waitUntil } from '../helpers/wait-until.ts'

interface Setup {
  readonly discovery: string
  readonly name?: string
  readonly state?: string
  /** Further listeners. */
  readonly listeners?: string
}

/** One listener at `port` in front of an upstream whose backends are all discovered. */
function configOf(port: number, { discovery, name = 'web', state = 'none', listeners = '' }: Setup): string {
  return `state: { directory: ${state} }
reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: ${name} }${listeners} }
upstreams: { ${name}: { discovery: ${discovery} } }
`
}

/** Resolves once the upstream has just these backends. */
async function becomes(lb: LoadBalancerProcess, ...wanted: readonly NamedBackend[]): Promise<void> {
  const expected = String(wanted.map(({ address }) => address).sort())
  let seen = ''
  await waitUntil(`the backends are ${expected}`, async () => {
    seen = String((await lb.status()).upstreams[0]!.backends.map(({ address }) => address).sort())
    return seen === expected
  })
}

async function startBackends(t: TestContext, names: string): Promise<NamedBackend[]> {
  return await Promise.all([...names].map((name) => NamedBackend.start(t, name)))
}

function listOf(t: TestContext): { path: string; write(...backends: readonly NamedBackend[]): void } {
  const path = join(temporaryDirectory(t), 'members.json')
  return { path, write: (...backends) => writeFileSync(path, JSON.stringify(backends.map(({ address }) => address))) }
}

const fileAt = (path: string, more = '') => `{ type: file, path: ${path}, interval: 200ms${more} }`
const keysAt = (url: string, more = '') => `{ type: redis-keys, redis: { url: "${url}" }, interval: 200ms${more} }`

async function announce(redis: RedisServer, ...backends: readonly NamedBackend[]): Promise<void> {
  for (const { address } of backends) await redis.client.set(`mcs:node:${address}`, '')
}

test('A refused reload leaves what the next start believes as it was', async (t) => {
  const [a, b, c] = await startBackends(t, 'abc')
  const [first, second] = [listOf(t), listOf(t)]
  first.write(a!)
  second.write(b!)
  const state = temporaryDirectory(t)
  const port = await freeListenerPort()
  const lb = await LoadBalancerProcess.start(t, configOf(port, { discovery: fileAt(first.path), state }))
  await becomes(lb, a!)
  const listeners = `, taken: { bind: "${c!.address}", upstream: web }`
  const refused = await lb.reload(configOf(port, { discovery: fileAt(second.path), state, listeners }))
  assert.equal(refused.outcome, 'refused')
  await lb.stop()
  const gone = configOf(port, { discovery: fileAt(join(state, 'gone.json')), state })
  await LoadBalancerProcess.start(t, gone)
  assert.equal(await tryGreeting(t, port), 'a')
})

test('Another state directory has the members as soon as it serves', async (t) => {
  const [a] = await startBackends(t, 'a')
  const list = listOf(t)
  list.write(a!)
  const [before, after] = [temporaryDirectory(t), temporaryDirectory(t)]
  const port = await freeListenerPort()
  const lb = await LoadBalancerProcess.start(t, configOf(port, { discovery: fileAt(list.path), state: before }))
  await becomes(lb, a!)
  await lb.reload(configOf(port, { discovery: fileAt(list.path), state: after }))
  await lb.stop()
  await LoadBalancerProcess.start(t, configOf(port, { discovery: fileAt(join(after, 'gone.json')), state: after }))
  assert.equal(await tryGreeting(t, port), 'a')
})

test('A narrowed allow takes out every backend that it forbids, the last one too', async (t) => {
  const [a, b] = await startBackends(t, 'ab')
  const list = listOf(t)
  list.write(a!, b!)
  const port = await freeListenerPort()
  const lb = await LoadBalancerProcess.start(t, configOf(port, { discovery: fileAt(list.path) }))
  await becomes(lb, a!, b!)
  await lb.reload(configOf(port, { discovery: fileAt(list.path, ', allow: { networks: [10.0.0.0/8] }') }))
  await becomes(lb)
  assert.equal(await tryGreeting(t, port), 'ECONNRESET')
})

test('A new listener at the address of the only backend takes that out, so that nothing goes round', async (t) => {
  const port = await freeListenerPort()
  const loop = await freeListenerPort()
  const path = join(temporaryDirectory(t), 'members.json')
  writeFileSync(path, JSON.stringify([`127.0.0.1:${loop}`]))
  const setup = { discovery: fileAt(path) }
  const lb = await LoadBalancerProcess.start(t, configOf(port, setup))
  await waitUntil('it is a backend', async () => (await lb.status()).upstreams[0]!.backends.length === 1)
  await lb.reload(configOf(port, { ...setup, listeners: `, loop: { bind: "127.0.0.1:${loop}", upstream: web }` }))
  await becomes(lb)
  assert.equal(await tryGreeting(t, loop), 'ECONNRESET')
  assert.equal((await lb.status()).connections.active, 0)
})

test(
  'Members stay when a reload reaches Redis in another way, and it is not there',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const [a] = await startBackends(t, 'a')
    await announce(redis, a!)
    const port = await freeListenerPort()
    const away = `redis://127.0.0.1:${await freeListenerPort()}`
    const lb = await LoadBalancerProcess.start(t, configOf(port, { discovery: keysAt(redis.url) }))
    await becomes(lb, a!)
    const others: readonly Setup[] = [
      { discovery: keysAt(away) },
      { discovery: keysAt(away), name: 'renamed' },
      { discovery: keysAt(redis.url.replace('//', '//lb:wrong@')), name: 'renamed' },
      { discovery: keysAt(away, ', prefix: "other:"'), name: 'renamed' },
    ]
    for (const other of others) {
      assert.equal((await lb.reload(configOf(port, other))).outcome, 'serving')
      assert.equal(await tryGreeting(t, port), 'a', JSON.stringify(other))
    }
  },
)

// The password was wrong, or the prefix mistyped, and the answer said that all was well.
test(
  'A reload warns of a discovery that is lost or finds nobody, at once and later',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const [a] = await startBackends(t, 'a')
    await announce(redis, a!)
    const port = await freeListenerPort()
    const lb = await LoadBalancerProcess.start(t, configOf(port, { discovery: keysAt(redis.url) }))
    await becomes(lb, a!)
    const before = 'Upstream "web" has the backends that its discovery believed before'
    const wrong = redis.url.replace('//', '//lb:geheim@')
    const cases: readonly [Setup, RegExp][] = [
      [{ discovery: keysAt(wrong) }, /^[^:]*: its discovery has lost its source \(keys "mcs:node:\*" at .*: WRONGPASS/],
      [
        { discovery: keysAt(redis.url, ', prefix: "mcs:nodes:"') },
        /^[^:]*: its discovery finds nobody \(keys "mcs:nodes:\*" at redis:.*\): no key begins with "mcs:nodes:"$/,
      ],
    ]
    for (const [setup, wanted] of cases) {
      for (const outcome of ['serving', 'unchanged']) {
        const result = await lb.reload(configOf(port, setup))
        assert.equal(result.outcome, outcome)
        const [warning = '', ...more] = result.outcome === 'refused' ? [] : result.warnings
        assert.match(warning, wanted)
        assert.ok(warning.startsWith(before) && more.length === 0 && !warning.includes('geheim'), warning)
      }
    }
    await lb.logged(/warn +Upstream "web" has the backends that its discovery believed before discovery=lost source=/)
    await lb.logged(/Discovery finds nobody; the members stay .*reason="no key begins with .*source=.*mcs:nodes:/)
    const back = await lb.reload(configOf(port, { discovery: keysAt(redis.url) }))
    assert.deepEqual(back.outcome === 'serving' && back.warnings, [])
  },
)

test(
  'A loss that is held back stays so over a reload that changes how it is read',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const [a, b, c] = await startBackends(t, 'abc')
    await announce(redis, a!, b!, c!)
    const port = await freeListenerPort()
    const setup = (more: string) => configOf(port, { discovery: keysAt(redis.url, more) })
    const lb = await LoadBalancerProcess.start(t, setup(', holdBack: never'))
    await becomes(lb, a!, b!, c!)
    await redis.client.flushall()
    await announce(redis, a!)
    const heldBack = async () => (await lb.status()).upstreams[0]!.discovery?.heldBack?.members
    await waitUntil('two are held back', async () => (await heldBack()) === 2)
    await lb.reload(setup(', holdBack: never, maxRemoval: 40%'))
    await waitUntil('two are held back again', async () => (await heldBack()) === 2)
    await becomes(lb, a!, b!, c!)
    // What the operator does who means it.
    await lb.reload(setup(', maxRemoval: 100%'))
    await becomes(lb, a!)
  },
)

test(
  'After a restart the first heartbeat displaces nobody, in a registry that was emptied',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const [a, b, c] = await startBackends(t, 'abc')
    await announce(redis, a!, b!, c!)
    const state = temporaryDirectory(t)
    const port = await freeListenerPort()
    const config = configOf(port, { discovery: keysAt(redis.url), state })
    const lb = await LoadBalancerProcess.start(t, config)
    await becomes(lb, a!, b!, c!)
    await lb.stop()
    await redis.client.flushall()
    const next = await LoadBalancerProcess.start(t, config)
    await announce(redis, a!)
    const found = async () => (await next.status()).upstreams[0]!.discovery?.found
    await waitUntil('one is found', async () => (await found()) === 1)
    await announce(redis, b!)
    await waitUntil('two are found', async () => (await found()) === 2)
    await becomes(next, a!, b!, c!)
  },
)

test('However many members and weights a list has, it stops neither the start nor a reload', async (t) => {
  const [a] = await startBackends(t, 'a')
  const [heavy, light] = ['heavy.json', 'light.json'].map((name) => join(temporaryDirectory(t), name))
  const write = (path: string, count: number, weightOf: (n: number) => number) => {
    const member = (n: number) => ({ address: `127.1.${n >> 8}.${n & 255}:9`, weight: weightOf(n), priority: 1 })
    writeFileSync(path, JSON.stringify(Array.from({ length: count }, (_, n) => member(n))))
  }
  write(heavy!, 4096, (n) => (n === 0 ? 255 : 256))
  write(light!, 4096, () => 1)
  const port = await freeListenerPort()
  const servers = `[{ address: "${a!.address}" }, { address: "127.0.0.1:9", priority: 1, weight: 2 }]`
  const config = (n: number) => `state: { directory: none }
reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: u0 } }
upstreams:
${Array.from({ length: n }, (_, i) => `  u${i}: { servers: ${servers}, discovery: { type: file, path: ${i === 0 ? heavy : light}, interval: 1m } }`).join('\n')}
`
  const lb = await LoadBalancerProcess.start(t, config(1))
  assert.equal(await tryGreeting(t, port), 'a')
  assert.equal((await lb.reload(config(17))).outcome, 'serving')
  assert.equal(await tryGreeting(t, port), 'a')
  await lb.logged(/Not every discovered backend has a place/)
  const backends = async () => (await lb.status()).upstreams.map(({ backends }) => backends.length)
  assert.equal(
    (await backends()).reduce((sum, count) => sum + count),
    65_536 - 8192 + 2 * 16,
  )
  // Once others need fewer, the rest get theirs.
  write(light!, 2500, () => 1)
  const all = [4098, ...Array.from({ length: 16 }, () => 2502)]
  await waitUntil('all have a place', async () => String(await backends()) === String(all), 60_000)
})
