import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { makeCertificate } from '../helpers/certificate.ts'
import { startServer } from '../helpers/child-server.ts'
import { atEnd } from '../helpers/cleanup.ts'
import { freeListenerPort } from '../helpers/free-listener-port.ts'
import { freePort } from '../helpers/free-port.ts'
import { countByBackend, GreetedClient, openClients, tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { needs } from '../helpers/peers.ts'
import { ResettingBackend } from '../helpers/resetting-backend.ts'
import { StreamBackend, StreamPeer } from '../helpers/stream-peer.ts'
import { startUpstream } from '../helpers/upstream-setup.ts'
import { waitUntil } from '../helpers/wait-until.ts'

const quick = 'interval: 100ms, timeout: 500ms, rise: 2, fall: 2'

async function start(t: TestContext, upstream: string) {
  const setup = await startUpstream(t, upstream)
  const states = async () => (await setup.lb.status()).upstreams[0]!.backends.map(({ state }) => state)
  const becomes = (...wanted: string[]) =>
    waitUntil(`the states are ${wanted}`, async () => String(await states()) === String(wanted))
  return { ...setup, becomes }
}

test('24. Only backends with checks are probed, and those in maintenance are not', async (t) => {
  const [checked, resting, unchecked] = await Promise.all(
    ['checked', 'resting', 'unchecked'].map((name) => NamedBackend.start(t, name)),
  )
  const port = await freePort()
  await LoadBalancerProcess.start(
    t,
    `listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams:
  web:
    servers: [{ address: "${checked!.address}" }, { address: "${resting!.address}", state: maintenance }]
    health: { ${quick} }
  other: { servers: [{ address: "${unchecked!.address}" }] }
`,
  )
  await waitUntil('the checked one was probed often', () => checked!.accepted > 5)
  assert.deepEqual([resting!.accepted, unchecked!.accepted], [0, 0])
})

test('27. Going down and up is logged with the connections it holds, and so is having no backend left', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const servers = `[{ address: "${a.address}" }, { address: "${b.address}" }]`
  const { lb, port, becomes } = await start(
    t,
    `{ servers: ${servers}, health: { ${quick} }, connect: { attempts: 1 } }`,
  )
  await openClients(t, port, 2)
  const { address, port: portOfA } = a
  a.close()
  await becomes('down', 'up')
  await lb.logged(/A backend is down/)
  const down = lb.stderr.split('\n').find((line) => line.includes('A backend is down')) ?? ''
  for (const part of ['warn', `backend=${address}`, 'connections=1', 'step=connect', 'upLeft=1 backupsLeft=0'])
    assert.ok(down.includes(part), down)
  assert.deepEqual(
    countByBackend(await openClients(t, port, 4)),
    { b: 4 },
    'with one attempt nobody meets the one that is down',
  )
  b.close()
  await becomes('down', 'down')
  await lb.logged(/error +No backend is left: .* upstream=web down=2 .*edge: reset/)
  assert.equal(await tryGreeting(t, port), 'ECONNRESET')
  await NamedBackend.start(t, 'a', portOfA)
  await becomes('up', 'down')
  await lb.logged(/Backends are available upstream=web available=1/)
  await lb.logged(/info +A backend is up .*connections=1/)
  assert.equal(await tryGreeting(t, port), 'a')
})

for (const [action, ends] of [
  ['keep', false],
  ['drain', true],
  ['close', true],
] as const) {
  test(`23. Connections of a backend that turns unhealthy end by onUnhealthy: ${action}`, async (t) => {
    const backend = await NamedBackend.start(t, 'a')
    const upstream = `{
    servers: [{ address: "${backend.address}" }], health: { ${quick} },
    connections: { onUnhealthy: ${action}, drain: 1s } }`
    const { lb, port, becomes } = await start(t, upstream)
    const client = await GreetedClient.open(t, port)
    backend.close()
    await becomes('down')
    if (ends) {
      assert.equal(await client.ended, 'end')
      assert.ok((await lb.accessLog(1)).some(({ cause }) => cause === 'backend-unhealthy'))
    } else assert.ok(await client.echoes())
  })

  test(`Connections of a backend that is removed end by onRemoved: ${action}`, async (t) => {
    const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
    const upstream = (list: readonly NamedBackend[]) => `{
    servers: [${list.map(({ address }) => `{ address: "${address}" }`)}], connections: { onRemoved: ${action}, drain: 1s } }`
    const { lb, port, reload } = await start(t, upstream([a, b]))
    const [first, second] = await openClients(t, port, 2)
    await reload(upstream([b]))
    if (ends) {
      assert.equal(await first!.ended, 'end')
      assert.ok((await lb.accessLog(1)).some(({ cause }) => cause === 'backend-removed'))
    } else assert.ok(await first!.echoes())
    assert.ok(await second!.echoes())
  })
}

test('Connections of a backend that is down follow an onUnhealthy that changes', async (t) => {
  const backend = await NamedBackend.start(t, 'a')
  const { address } = backend
  const upstream = (action: string) => `{
    servers: [{ address: "${address}" }], health: { ${quick} },
    connections: { onUnhealthy: ${action}, drain: 1h } }`
  const { lb, port, becomes, reload } = await start(t, upstream('keep'))
  const client = await GreetedClient.open(t, port)
  backend.close()
  await becomes('down')
  await reload(upstream('drain'))
  assert.ok(await client.echoes())
  await reload(upstream('close'))
  assert.equal(await client.ended, 'end')
  assert.ok((await lb.accessLog(1)).some(({ cause }) => cause === 'backend-unhealthy'))
})

test('In a panic, health is ignored, and the operator is not', async (t) => {
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => NamedBackend.start(t, name)))
  const dead = await freePort()
  const servers = `
      - { address: "${a!.address}" }
      - { address: "${b!.address}" }
      - { address: "${c!.address}", state: drain }`
  const upstream = (port: number) => `
    panicThreshold: 50%
    servers: ${servers}
    health: { ${quick}, port: ${port} }
`
  const { lb, port, becomes, reload } = await start(t, upstream(a!.port))
  await becomes('up', 'up', 'drain')
  await reload(upstream(dead))
  await becomes('down', 'down', 'drain')
  await lb.logged(/Too few backends are healthy: connections go to all of them upstream=web/)
  assert.deepEqual(countByBackend(await openClients(t, port, 4)), { a: 2, b: 2 })
  await reload(upstream(a!.port))
  await becomes('up', 'up', 'drain')
  await lb.logged(/Enough backends are healthy again/)
})

test('A backend whose connects fail is ejected, no client sees an error, and it comes back', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const refusing = await freePort()
  const servers = `[{ address: "127.0.0.1:${refusing}" }, { address: "${a.address}" }]`
  const outlier = '{ consecutiveFailures: 3, ejection: 1s }'
  const { lb, port, becomes } = await start(t, `{ servers: ${servers}, outlier: ${outlier} }`)
  assert.deepEqual(countByBackend(await openClients(t, port, 6)), { a: 6 })
  await becomes('ejected', 'up')
  const [before] = (await lb.status()).upstreams[0]!.backends
  assert.deepEqual(countByBackend(await openClients(t, port, 6)), { a: 6 })
  const [after] = (await lb.status()).upstreams[0]!.backends
  assert.equal(after!.connectFailures, before!.connectFailures, 'it is not tried while it sits out')
  await NamedBackend.start(t, 'b', refusing)
  await becomes('up', 'up')
  await lb.logged(/A backend is tried again after its ejection/)
  await waitUntil('it serves', async () => (await tryGreeting(t, port)) === 'b')
})

test('Early resets count as failures where outlier.earlyReset says so', async (t) => {
  const good = await NamedBackend.start(t, 'good')
  const bad = await ResettingBackend.start(t)
  const servers = `[{ address: "${bad.address}" }, { address: "${good.address}" }]`
  const outlier = '{ consecutiveFailures: 2, earlyReset: 5s, ejection: 1h, maxEjection: 1h }'
  const { port, becomes } = await start(t, `{ servers: ${servers}, outlier: ${outlier} }`)
  for (let i = 0; i < 4; i++) await tryGreeting(t, port)
  await becomes('ejected', 'up')
  assert.deepEqual(countByBackend(await openClients(t, port, 4)), { good: 4 })
})

// With earlyReset only bytes of the backend ended a row of failures: two in weeks made one that never speaks sit out.
test('A silent backend proves itself by connections that last, or that clients end in order', async (t) => {
  let isBroken = false
  const silent = await StreamBackend.start(t, (peer) => {
    peer.socket.on('end', () => peer.finish())
    if (isBroken) peer.reset()
  })
  const other = await NamedBackend.start(t, 'other')
  const outlier = '{ consecutiveFailures: 2, earlyReset: 300ms, ejection: 1h, maxEjection: 1h }'
  const servers = `[{ address: "${silent.address}" }, { address: "${other.address}", backup: true }]`
  // A reset may also come while it is still being connected, after which another backend would be tried.
  const upstream = `{ servers: ${servers}, outlier: ${outlier}, connect: { attempts: 1 } }`
  const { port, becomes } = await start(t, upstream)
  const connects = async (breaks: boolean) => {
    isBroken = breaks
    const count = silent.peers.length
    const client = await StreamPeer.connect(t, `127.0.0.1:${port}`)
    await silent.peer(count)
    return client
  }
  const fails = async () => assert.equal(await (await connects(true)).ends(), 'ECONNRESET')
  const endsInOrder = async () => {
    const client = await connects(false)
    client.finish()
    assert.equal(await client.ends(), 'end')
  }
  const lasts = async () => {
    await connects(false)
    const since = performance.now()
    await waitUntil('the time for early resets is over', () => performance.now() - since > 600)
  }
  for (const proves of [endsInOrder, lasts, endsInOrder]) {
    await fails()
    await proves()
  }
  await becomes('up', 'up')
  await fails()
  await fails()
  await becomes('ejected', 'up')
  assert.equal(silent.peers.length, 8)
})

// Whenever an old connection ended in order, or its timer was looked at, the row of failures was over: a backend that took
// no new connection went on getting them as long as it had old ones.
test('A backend that takes no new connection is ejected, though old ones go on and end', async (t) => {
  const [failing, other] = [await NamedBackend.start(t, 'failing'), await NamedBackend.start(t, 'other')]
  const port = await freeListenerPort()
  const lb = await LoadBalancerProcess.start(
    t,
    `listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web, timeouts: { idle: 200ms } } }
upstreams:
  web:
    servers: [{ address: "${failing.address}" }, { address: "${other.address}", backup: true }]
    outlier: { consecutiveFailures: 3, ejection: 1h, maxEjection: 1h }
`,
  )
  const old = await openClients(t, port, 2)
  const talk = setInterval(() => old[0]!.socket.write('x'), 20)
  atEnd(t, () => clearInterval(talk))
  failing.close()
  assert.equal(await tryGreeting(t, port), 'other')
  old[1]!.socket.end()
  assert.equal(await old[1]!.ended, 'end')
  assert.equal(await tryGreeting(t, port), 'other')
  const since = performance.now()
  await waitUntil('the timer of the one that goes on was due', () => performance.now() - since > 600)
  assert.equal(await tryGreeting(t, port), 'other')
  await lb.logged(/A backend is ejected/)
})

// One in maintenance, or down, counted as one that could serve: the only one that did sat out 30 s for a restart.
test('The only backend that can serve does not sit out', async (t) => {
  const restarting = await freeListenerPort()
  const servers = `[{ address: "127.0.0.1:${restarting}" }, { address: "127.0.0.1:1", state: maintenance }]`
  const { lb, port, becomes } = await start(t, `{ servers: ${servers}, outlier: { consecutiveFailures: 2 } }`)
  for (let i = 0; i < 3; i++) await tryGreeting(t, port)
  await lb.logged(/Not ejected/)
  await NamedBackend.start(t, 'back', restarting)
  await becomes('up', 'maintenance')
  assert.equal(await tryGreeting(t, port), 'back')
})

// It was called the only backend that could serve, though it was the other one.
test('A draining backend that fails its sticky clients sits out, as another can serve', async (t) => {
  const port = await freeListenerPort()
  const leaving = await NamedBackend.start(t, 'leaving', port)
  const other = await NamedBackend.start(t, 'other')
  const upstream = (state: string) => `{ sticky: { ttl: 1h }, outlier: { consecutiveFailures: 1 },
    servers: [{ address: "${leaving.address}", state: ${state} }, { address: "${other.address}" }] }`
  const setup = await start(t, upstream('ready'))
  assert.equal(await tryGreeting(t, setup.port), 'leaving')
  await setup.reload(upstream('drain'))
  leaving.stop()
  assert.equal(await tryGreeting(t, setup.port), 'other')
  await setup.lb.logged(/A backend is ejected/)
})

test('Whoever sits out is tried again when nobody else is left, unless all may sit out', async (t) => {
  const dead = await freeListenerPort()
  const { address } = await NamedBackend.start(t, 'other')
  const upstream = (maxShare: string, state: string) => `{
    servers: [{ address: "127.0.0.1:${dead}" }, { address: "${address}", state: ${state} }],
    outlier: { consecutiveFailures: 1, maxShare: ${maxShare}, ejection: 1h, maxEjection: 1h } }`
  const { lb, port, reload, becomes } = await start(t, upstream('100%', 'ready'))
  await openClients(t, port, 2)
  await becomes('ejected', 'up')
  await reload(upstream('100%', 'maintenance'))
  await becomes('ejected', 'maintenance')
  await lb.logged(/No backend is left/)
  await reload(upstream('50%', 'maintenance'))
  await becomes('up', 'maintenance')
  await lb.logged(/A backend is tried again/)
})

test('A reload keeps what is known of a backend: its health, and its ejection', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const [dead, refusing] = [await freePort(), await freePort()]
  const upstream = (attempts: number) => `
    servers: [{ address: "${a.address}" }, { address: "127.0.0.1:${dead}" }]
    health: { interval: 100ms, downInterval: 1h, fall: 1 }
    connect: { attempts: ${attempts} }
  other:
    servers: [{ address: "${b.address}" }, { address: "127.0.0.1:${refusing}" }]
    outlier: { consecutiveFailures: 1, ejection: 1h, maxEjection: 1h }
`
  const { lb, port, becomes, reload } = await start(t, upstream(3))
  await becomes('up', 'down')
  await reload(upstream(2))
  await becomes('up', 'down')
  assert.deepEqual(countByBackend(await openClients(t, port, 4)), { a: 4 })
  assert.equal(lb.stderr.match(/A backend is down/g)?.length, 1, 'it went down once')
})

test('Slow start leads a backend that comes up to its share step by step', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const { port: portOfB } = b
  const servers = `[{ address: "${a.address}" }, { address: "${b.address}" }]`
  const { port, becomes } = await start(t, `{ slowStart: 1h, servers: ${servers}, health: { ${quick} } }`)
  assert.deepEqual(countByBackend(await openClients(t, port, 10)), { a: 5, b: 5 }, 'not at the start of the program')
  b.stop()
  await becomes('up', 'down')
  await NamedBackend.start(t, 'b', portOfB)
  await becomes('up', 'up')
  const counts = countByBackend(await openClients(t, port, 100))
  assert.ok(counts.a! > 70, `its share is a tenth: ${JSON.stringify(counts)}`)
})

test('25. A check that expects bytes times out at that step when too few come', async (t) => {
  const backend = await NamedBackend.start(t, 'a')
  const health = `{ type: send-expect, interval: 100ms, timeout: 300ms, fall: 1, steps: [{ expect: "a\\\\n" }, { send: "pi" }, { expect: "ping" }] }`
  const { lb, becomes } = await start(t, `{ servers: [{ address: "${backend.address}" }], health: ${health} }`)
  await becomes('down')
  const [{ check } = { check: '' }] = (await lb.status()).upstreams[0]!.backends
  assert.match(check ?? '', /^expect 3: .*"ping".*"pi"|^expect 3: .*300 ms/)
})

test('26. A TLS check sends the configured server name, and a wrong one fails', needs('openssl'), async (t) => {
  const certificate = makeCertificate(t, 'DNS:backend.test')
  const address = `127.0.0.1:${await freePort()}`
  const { cert, key } = certificate
  await startServer(t, 'openssl', ['s_server', '-accept', address, '-cert', cert, '-key', key, '-www'], /^ACCEPT/m)
  const upstream = (serverName: string) => `
    servers: [{ address: "${address}" }]
    health: { type: tls, interval: 100ms, fall: 1, rise: 1, tls: { ca: ${cert}, serverName: ${serverName} } }
`
  const { lb, becomes, reload } = await start(t, upstream('other.test'))
  await becomes('down')
  assert.match((await lb.status()).upstreams[0]!.backends[0]!.check ?? '', /^tls: .*other\.test/)
  await reload(upstream('backend.test'))
  await becomes('up')
})
