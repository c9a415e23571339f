import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { freeListenerPort } from '../helpers/free-listener-port.ts'
import { freePort } from '../helpers/free-port.ts'
import { GreetedClient, openClients, tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { needs } from '../helpers/peers.ts'
import { RedisServer } from '../helpers/redis-server.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { startUpstream } from '../helpers/upstream-setup.ts'
import { waitUntil } from '../helpers/wait-until.ts'
import { runProgram } from '../unit/cli/run-program.ts'

function startBackends(t: TestContext, ...names: string[]): Promise<NamedBackend[]> {
  return Promise.all(names.map((name) => NamedBackend.start(t, name)))
}

/** What `mcs-lb status` prints, blanks between columns being one. */
async function textOf(lb: LoadBalancerProcess): Promise<string> {
  const { code, stdout } = await runProgram(['status', '--socket', lb.adminSocket])
  assert.equal(code, 0)
  return stdout.replace(/ +/g, ' ')
}

/** How many lines of the log are like this. */
function countLines(lb: LoadBalancerProcess, pattern: RegExp): number {
  return lb.stderr.split('\n').filter((line) => pattern.test(line)).length
}

/** Every key there is in a value, at whatever depth. */
function keysOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(keysOf)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, entry]) => [key, ...keysOf(entry)])
}

test('The status of an upstream whose discovery has lost its source says so, though it has no backend', async (t) => {
  const nobody = await freePort()
  const { lb, port } = await startUpstream(
    t,
    `{ discovery: { type: redis-keys, redis: { url: "redis://127.0.0.1:${nobody}" }, interval: 200ms } }`,
  )
  await tryGreeting(t, port)
  const [line] = await lb.accessLog(1)
  assert.equal(line?.cause, 'no-backend')
  const discoveryOf = async () => (await lb.status()).upstreams[0]!.discovery!
  await waitUntil('it is lost', async () => (await discoveryOf()).state === 'lost')
  const { reason, ...rest } = await discoveryOf()
  assert.match(reason, /ECONNREFUSED/)
  const nothing = { lastGoodReadMs: null, members: 0, found: 0, restored: false, heldBack: null, refused: {} }
  const source = `keys "mcs:node:*" at redis://127.0.0.1:${nobody}`
  assert.deepEqual(rest, { type: 'redis-keys', state: 'lost', source, ...nothing })
  const documented = readFileSync('docs/admin.md', 'utf8')
  for (const key of keysOf(await lb.status()))
    assert.ok(documented.includes(`\`${key}\``), `docs/admin.md lacks ${key}`)
  const text = await textOf(lb)
  assert.match(text, /^web redis-keys lost 0 0 never .*ECONNREFUSED/m)
  assert.match(text, /^web none /m)
})

test(
  'The status tells of an update that is held back for ever, with null for its time',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const backends = await startBackends(t, 'a', 'b', 'c')
    for (const { address } of backends) await redis.client.call('SET', `mcs:node:${address}`, '')
    const { lb } = await startUpstream(
      t,
      `{ discovery: { type: redis-keys, redis: { url: "${redis.url}" }, interval: 200ms, holdBack: never } }`,
    )
    await waitUntil('all serve', async () => (await lb.servingBackends()).length === 3)
    for (const { address } of backends.slice(1)) await redis.client.call('DEL', `mcs:node:${address}`)
    await redis.client.call('SET', 'mcs:node:nonsense', '')
    const heldBack = async () => (await lb.status()).upstreams[0]!.discovery!.heldBack
    await waitUntil('it is held back', async () => (await heldBack()) !== null)
    assert.deepEqual(await heldBack(), { members: 2, remainingMs: null })
    await waitUntil('the refused one was read', async () => /refused: 1 bad-address/.test(await textOf(lb)))
    assert.match(await textOf(lb), /good 3 1 .*removal of 2 held back for ever \(holdBack: never\); refused/)
  },
)

test('A file that holds an update back for a while shows whole milliseconds', async (t) => {
  const file = join(temporaryDirectory(t), 'members.yaml')
  writeFileSync(file, '["127.0.0.1:6001", "127.0.0.1:6002", "127.0.0.1:6003"]')
  const { lb } = await startUpstream(t, `{ discovery: { type: file, path: ${file}, interval: 200ms, holdBack: 1h } }`)
  writeFileSync(`${file}.new`, '["127.0.0.1:6001"]')
  writeFileSync(file, '["127.0.0.1:6001"]')
  const heldBack = async () => (await lb.status()).upstreams[0]!.discovery!.heldBack
  await waitUntil('it is held back', async () => (await heldBack()) !== null)
  const { remainingMs } = (await heldBack())!
  assert.ok(Number.isInteger(remainingMs) && remainingMs! > 3_500_000, `${remainingMs}`)
})

test('A backend that a reload removed stays in the status until its last connection has ended, by reload or discovery', async (t) => {
  const [a, b] = await startBackends(t, 'a', 'b')
  const file = join(temporaryDirectory(t), 'members.yaml')
  writeFileSync(file, `["${b!.address}"]`)
  const upstream = (servers: string) => `{ servers: [${servers}], discovery: { type: file, path: ${file} } }`
  const { lb, port, reload } = await startUpstream(t, upstream(`{ address: "${a!.address}" }`))
  const [onA, onB] = await openClients(t, port, 2)
  assert.deepEqual([onA!.backend, onB!.backend], ['a', 'b'])
  const [c] = await startBackends(t, 'c')
  await reload(upstream(`{ address: "${c!.address}" }`))
  writeFileSync(file, '["127.0.0.1:6001"]')
  const rows = async () => {
    const { backends } = (await lb.status()).upstreams[0]!
    return backends.filter(({ active }) => active > 0).map(({ address, state }) => `${address} ${state}`)
  }
  const bothRemoved = [a!, b!].map(({ address }) => `${address} removed`).sort()
  await waitUntil('both are removed', async () => String((await rows()).sort()) === String(bothRemoved))
  const { connections, upstreams } = await lb.status()
  assert.equal(
    upstreams[0]!.backends.reduce((sum, { active }) => sum + active, 0),
    connections.active,
  )
  assert.match(await textOf(lb), new RegExp(`^web ${a!.address} - removed \\d+s - - 1 - 1 0 `, 'm'))
  await onA!.end()
  await waitUntil('a is gone', async () => String(await rows()) === `${b!.address} removed`)
  // One that comes back is the same backend.
  writeFileSync(file, `["${b!.address}"]`)
  await waitUntil('b is back', async () => String(await rows()) === `${b!.address} up`)
})

test('An upstream that a reload removed stays in the status until its last connection has ended', async (t) => {
  const [a, b] = await startBackends(t, 'a', 'b')
  const port = await freeListenerPort()
  const config = (upstream: string, { address }: NamedBackend) => `reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: ${upstream} } }
upstreams: { ${upstream}: { servers: [{ address: "${address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config('old', a!))
  const client = await GreetedClient.open(t, port)
  await lb.reload(config('new', b!))
  const { upstreams } = await lb.status()
  assert.deepEqual(
    upstreams.map(({ name, state, balance }) => ({ name, state, balance })),
    [
      { name: 'new', state: 'serving', balance: 'round-robin' },
      { name: 'old', state: 'removed', balance: '' },
    ],
  )
  const [{ address, state, active } = assert.fail()] = upstreams[1]!.backends
  assert.deepEqual({ address, state, active }, { address: a!.address, state: 'removed', active: 1 })
  assert.match(await textOf(lb), new RegExp(`^old ${a!.address} removed \\d+s - - 1 - 1 0 `, 'm'))
  await lb.logged(new RegExp(`Backends changed upstream=old trigger=reload backends=0 left=.*${a!.address}`))
  await lb.logged(new RegExp(`Backends changed upstream=new trigger=reload backends=1 joined=.*${b!.address}`))
  await client.end()
  await waitUntil('it is gone', async () => (await lb.status()).upstreams.length === 1)
})

test('A listener that a reload removed stays in the status until its last connection has ended', async (t) => {
  const [a] = await startBackends(t, 'a')
  const [kept, old] = [await freeListenerPort(), await freeListenerPort()]
  const config = (more: string) => `reload: { watch: false }
listeners: { kept: { bind: "127.0.0.1:${kept}", upstream: web }${more} }
upstreams: { web: { servers: [{ address: "${a!.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config(`, old: { bind: "127.0.0.1:${old}", upstream: web }`))
  const client = await GreetedClient.open(t, old)
  await lb.reload(config(''))
  const { listeners } = await lb.status()
  assert.deepEqual(
    listeners.map(({ name, state, addresses, upstream, active }) => ({ name, state, addresses, upstream, active })),
    [
      { name: 'kept', state: 'serving', addresses: [`127.0.0.1:${kept}`], upstream: 'web', active: 0 },
      { name: 'old', state: 'closed', addresses: [], upstream: '', active: 1 },
    ],
  )
  assert.match(await textOf(lb), /^old closed - 1 1 0 /m)
  await client.end()
  await waitUntil('it is gone', async () => (await lb.status()).listeners.length === 1)
})

test('The status of a process that drains tells since when, by when, and the generation of its last file', async (t) => {
  const [a] = await startBackends(t, 'a')
  const { lb, port } = await startUpstream(t, `{ servers: [{ address: "${a!.address}" }] }`, 'shutdown: { drain: 20s }')
  const client = await GreetedClient.open(t, port)
  const before = await lb.status()
  assert.equal(before.drain, undefined)
  const sentAtMs = Date.now()
  lb.child.kill('SIGTERM')
  await lb.logged(/Stopped accepting/)
  const { state, drain, generation, startedAt } = await lb.status()
  assert.deepEqual([state, generation], ['draining', before.generation])
  const [sinceMs, endsByMs] = [Date.parse(drain!.since), Date.parse(drain!.endsBy)]
  assert.ok(sinceMs >= sentAtMs && sinceMs <= Date.now(), drain!.since)
  assert.ok(endsByMs >= sinceMs + 20_000 && endsByMs <= Date.now() + 20_000, drain!.endsBy)
  const text = await textOf(lb)
  assert.ok(text.includes(`started ${startedAt}, draining since ${drain!.since}, ends by ${drain!.endsBy}\n`), text)
  await client.end()
  assert.equal(await lb.exited, 0)
})

test('A backend that maxShare keeps from being ejected is told of once; the status tells when the ejection ends', async (t) => {
  const [first, second] = [await freePort(), await freePort()]
  const servers = `[{ address: "127.0.0.1:${first}" }, { address: "127.0.0.1:${second}" }]`
  const outlier = '{ consecutiveFailures: 2, ejection: 1h, maxEjection: 1h, maxShare: 50% }'
  const { lb, port } = await startUpstream(t, `{ servers: ${servers}, outlier: ${outlier} }`)
  for (let i = 0; i < 12; i++) await tryGreeting(t, port)
  await lb.logged(/Not ejected: connections to it fail, but maxShare of the backends is reached/)
  const { backends } = (await lb.status()).upstreams[0]!
  const [ejected, spared] = backends.toSorted((a, b) => a.state.localeCompare(b.state))
  assert.deepEqual([ejected!.state, spared!.state], ['ejected', 'up'])
  const remainingMs = Date.parse(ejected!.ejectedUntil!) - Date.now()
  assert.ok(remainingMs > 3_500_000 && remainingMs <= 3_600_000, ejected!.ejectedUntil)
  assert.equal(spared!.ejectedUntil, undefined)
  const line = new RegExp(
    `warn +Not ejected: .* upstream=web backend=${spared!.address} .*reason="connection refused" maxShare=50%`,
  )
  assert.equal(countLines(lb, line), 1)
  assert.equal(ejected!.ejectionReason, 'connection refused')
  assert.match(
    await textOf(lb),
    new RegExp(`^web ${ejected!.address} ejected 20\\S+Z ejected until 20\\S+Z: connection refused$`, 'm'),
  )
  await lb.logged(/A backend is ejected: .* failures=2 reason="connection refused" until=20\S+Z upLeft=1 backupsLeft=0/)
})

test('Clients whose backends are all down, or whose attempts all fail, are counted as turned away', async (t) => {
  const [refusing, drained] = [await freePort(), await freePort()]
  const { lb, port, reload } = await startUpstream(t, `{ servers: [{ address: "127.0.0.1:${refusing}" }] }`)
  await tryGreeting(t, port)
  await reload(`{ servers: [{ address: "127.0.0.1:${drained}", state: maintenance, maxConnections: 1 }] }`)
  await tryGreeting(t, port)
  const causes = (await lb.accessLog(2)).map(({ cause }) => cause)
  assert.deepEqual(causes, ['connect-failed', 'backends-down'])
  assert.equal((await lb.status()).listeners[0]!.turnedAway, 2)
})

test('A change of members is told with who joined, left and changed, and why', async (t) => {
  const file = join(temporaryDirectory(t), 'members.yaml')
  writeFileSync(file, '["127.0.0.1:6001", "127.0.0.1:6002"]')
  const upstream = (weight: number) =>
    `{ servers: [{ address: "127.0.0.1:6000", weight: ${weight} }], discovery: { type: file, path: ${file} } }`
  const { lb, reload } = await startUpstream(t, upstream(1))
  await waitUntil('all serve', async () => (await lb.servingBackends()).length === 3)
  assert.equal(countLines(lb, /Backends changed .*trigger=reload/), 0)
  writeFileSync(file, '[{ "address": "127.0.0.1:6001", "state": "drain" }, "127.0.0.1:6003"]')
  await lb.logged(/Backends changed upstream=web trigger=discovery backends=3 .*6003/)
  const line = lb.stderr.split('\n').find((each) => /trigger=discovery.*6003/.test(each))!
  assert.match(
    line,
    /joined=.*127\.0\.0\.1:6003.* left=.*127\.0\.0\.1:6002.* changed=.*127\.0\.0\.1:6001: state ready → drain/,
  )
  await reload(upstream(3))
  await lb.logged(/Backends changed upstream=web trigger=reload backends=3 changed=.*127\.0\.0\.1:6000: weight 1 → 3/)
  assert.equal(countLines(lb, /trigger=reload/), 1)
})

test('A reload whose upstream has no backend any more says so, and exits 0', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  const [a] = await startBackends(t, 'a')
  await redis.client.call('SET', `mcs:node:${a!.address}`, '')
  const port = await freeListenerPort()
  const config = (network: string) => `reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams:
  web: { discovery: { type: redis-keys, redis: { url: "${redis.url}" }, allow: { networks: [${network}] } } }
`
  const lb = await LoadBalancerProcess.start(t, config('127.0.0.0/8'))
  assert.equal(await tryGreeting(t, port), 'a')
  assert.equal(countLines(lb, /has no backend/), 0)
  lb.writeConfig(config('10.0.0.0/8'))
  const { code, stdout } = await runProgram(['reload', '--socket', lb.adminSocket])
  assert.equal(code, 0)
  assert.match(stdout, /^Serving generation 2 .*\nwarning: Upstream "web" has no backend: its discovery .*\n$/)
  await lb.logged(/warn +Upstream "web" has no backend/)
  await lb.logged(new RegExp(`Backends changed upstream=web trigger=reload backends=0 left=.*${a!.address}`))
  const back = await lb.reload(config('127.0.0.0/8'))
  assert.deepEqual(back.outcome === 'serving' && back.warnings, [])
})
