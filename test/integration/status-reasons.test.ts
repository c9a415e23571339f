import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { GreetedClient, tryGreeting } from '../helpers/greeted-client.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { StreamBackend, StreamPeer } from '../helpers/stream-peer.ts'
import { startUpstream } from '../helpers/upstream-setup.ts'
import { waitUntil } from '../helpers/wait-until.ts'
import { runProgram } from '../unit/cli/run-program.ts'

const quick = 'interval: 100ms, timeout: 500ms, rise: 1, fall: 1'

async function start(t: TestContext, upstream: string, more = '') {
  const setup = await startUpstream(t, upstream, more)
  const upstreamOf = async () => (await setup.lb.status()).upstreams[0]!
  const becomes = (...wanted: string[]) =>
    waitUntil(`the states are ${wanted}`, async () => {
      const { backends } = await upstreamOf()
      return String(backends.map(({ state }) => state)) === String(wanted)
    })
  return { ...setup, upstreamOf, becomes }
}

test('A backend that resets connections is ejected with that for a reason, and its failures are counted', async (t) => {
  // It waits for a byte: a reset that comes at once may meet a connection that is still being connected.
  const bad = await StreamBackend.start(t, (peer) => peer.onHeard(() => peer.reset()))
  const good = await NamedBackend.start(t, 'good')
  const servers = `[{ address: "${bad.address}" }, { address: "${good.address}", backup: true }]`
  const outlier = '{ consecutiveFailures: 3, earlyReset: 1m, ejection: 1h, maxEjection: 1h }'
  const { lb, port, upstreamOf, becomes } = await start(t, `{ servers: ${servers}, outlier: ${outlier} }`)
  for (let i = 0; i < 3; i++) {
    const client = await StreamPeer.connect(t, `127.0.0.1:${port}`)
    await client.say('x')
    assert.equal(await client.ends(), 'ECONNRESET')
  }
  await becomes('ejected', 'up')
  await lb.logged(/A backend is ejected: .* failures=3 reason="reset before its first byte" until=20\S+Z/)
  const [backend] = (await upstreamOf()).backends
  assert.equal(backend!.ejectionReason, 'reset before its first byte')
  assert.deepEqual([backend!.connectFailures, backend!.earlyResets], [0, 3])
  assert.ok(Date.parse(backend!.since!) <= Date.now())
})

test('A check that goes elsewhere is told with where it goes, and who is left beside the backend', async (t) => {
  const [a, b, spare] = [
    await NamedBackend.start(t, 'a'),
    await NamedBackend.start(t, 'b'),
    await NamedBackend.start(t, 'spare'),
  ]
  const elsewhere = await freePort()
  const servers = `[{ address: "${a.address}" }, { address: "${b.address}", state: drain }, { address: "${spare.address}", backup: true }]`
  const upstream = (health: string) => `{ servers: ${servers}, health: { ${quick} ${health} } }`
  const { lb, upstreamOf, becomes, reload } = await start(t, upstream(''))
  await becomes('up', 'drain', 'up')
  await reload(upstream(`, port: ${elsewhere}`))
  await becomes('down', 'drain', 'down')
  await lb.logged(
    new RegExp(
      `A backend is down .*${a.address} .*checked=127.0.0.1:${elsewhere} step=connect .*upLeft=0 backupsLeft=`,
    ),
  )
  await lb.logged(/error +No backend is left: .* down=2 ejected=0 drain=1 maintenance=0 onUnavailable=.*edge: reset/)
  const { backends } = await upstreamOf()
  assert.deepEqual([backends[0]!.checkedAt, backends[0]!.origin], [`127.0.0.1:${elsewhere}`, 'file'])
})

test('It is told when backups serve, and when they need not any more', async (t) => {
  const [a, spare] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'spare')]
  const servers = `[{ address: "${a.address}" }, { address: "${spare.address}", backup: true }]`
  const { lb, becomes } = await start(t, `{ servers: ${servers}, health: { ${quick} } }`)
  const { port } = a
  a.close()
  await becomes('down', 'up')
  await lb.logged(/warn +Backups serve now: no other backend is left upstream=web priority=backup/)
  await NamedBackend.start(t, 'a', port)
  await lb.logged(/info +Backends of an earlier priority serve again upstream=web priority=0/)
})

test('An upstream that starts with nobody is told of as a warning, and not as an error', async (t) => {
  const { lb } = await start(
    t,
    `{ discovery: { type: redis-keys, redis: { url: "redis://127.0.0.1:${await freePort()}" } } }`,
  )
  await lb.logged(/warn +Upstream "web" has no backend/)
  await lb.logged(/Serving generation=1/)
  assert.doesNotMatch(lb.stderr, /No backend is left/)
})

test('The only backend is not ejected for being the only one', async (t) => {
  const { lb, port } = await start(
    t,
    `{ servers: [{ address: "127.0.0.1:${await freePort()}" }], outlier: { consecutiveFailures: 2 } }`,
  )
  for (let i = 0; i < 2; i++) await tryGreeting(t, port)
  await lb.logged(
    /Not ejected: connections to it fail, but it is the only backend that could serve .*reason="connection refused"/,
  )
})

test('Connections that end because their backend was removed are told of, and the status says when', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const upstream = (servers: string, drain: string) =>
    `{ servers: [${servers}], connections: { onRemoved: drain, drain: ${drain} } }`
  const { lb, port, upstreamOf, reload } = await start(t, upstream(`{ address: "${a.address}" }`, '1500ms'))
  const client = await GreetedClient.open(t, port)
  await reload(upstream(`{ address: "${b.address}" }`, '1500ms'))
  const removed = (await upstreamOf()).backends.find(({ state }) => state === 'removed')!
  assert.ok(Date.parse(removed.connectionsEndAt!) > Date.parse(removed.since!), JSON.stringify(removed))
  assert.equal(await client.ended, 'end')
  await lb.logged(
    new RegExp(
      `Connections are ended: their backend was taken out .*backend=${a.address} connections=1 onRemoved=drain`,
    ),
  )
})

test('A backend that joins under slow start says until when it warms up', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const upstream = (...list: NamedBackend[]) =>
    `{ servers: [${list.map(({ address }) => `{ address: "${address}" }`)}], slowStart: 1m }`
  const { upstreamOf, reload } = await start(t, upstream(a))
  await reload(upstream(a, b))
  const [first, second] = (await upstreamOf()).backends
  assert.equal(first!.slowStartUntil, undefined)
  const leftMs = Date.parse(second!.slowStartUntil!) - Date.now()
  assert.ok(leftMs > 30_000 && leftMs <= 60_000, second!.slowStartUntil)
})

test('The status tells of panic', async (t) => {
  const servers = `[{ address: "127.0.0.1:${await freePort()}" }]`
  const { upstreamOf, becomes } = await start(t, `{ servers: ${servers}, health: { ${quick} }, panicThreshold: 50% }`)
  await becomes('down')
  assert.deepEqual((await upstreamOf()).panics, [0])
})

test('The status has what a refused file had wrong, also after the former one was put back', async (t) => {
  const { lb } = await start(t, `{ servers: [{ address: "127.0.0.1:${await freePort()}" }] }`)
  const good = readFileSync(lb.configFile, 'utf8')
  writeFileSync(lb.configFile, `${good}listners: {}\n`)
  await runProgram(['reload', '--socket', lb.adminSocket])
  assert.equal((await lb.status()).lastRefusal!.errors[0]!.path, 'listners')
  writeFileSync(lb.configFile, good)
  const { stdout } = await runProgram(['reload', '--socket', lb.adminSocket])
  assert.match(stdout, /^Already serving generation 1, since 20\S+Z: the file says nothing new/)
  const { lastReload, lastRefusal } = await lb.status()
  assert.deepEqual([lastReload.result, lastRefusal!.errors[0]!.path], ['unchanged', 'listners'])
})

test('Sticky entries whose Redis is away are told of by upstream: in the log, the status and the answer to a reload', async (t) => {
  const nobody = await freePort()
  const sticky = `{ by: source-address, persist: { redis: { url: "redis://127.0.0.1:${nobody}" }, key: k } }`
  const { lb, upstreamOf } = await start(
    t,
    `{ servers: [{ address: "127.0.0.1:${await freePort()}" }], sticky: ${sticky} }`,
  )
  await waitUntil('it fails', async () => (await upstreamOf()).sticky?.state === 'failing')
  await lb.logged(/Sticky entries are not saved for now upstreams=.*web/)
  const { stdout } = await runProgram(['reload', '--socket', lb.adminSocket])
  assert.match(stdout, /warning: Upstream "web" has sticky entries that a restart would lose: Cannot read/)
})

test('Every backend that goes into maintenance or drain is told of, and the way back', async (t) => {
  const [a, b] = [await freePort(), await freePort()]
  const upstream = (first: string, second: string) =>
    `{ servers: [{ address: "127.0.0.1:${a}", state: ${first} }, { address: "127.0.0.1:${b}", state: ${second} }] }`
  const { lb, reload } = await start(t, upstream('ready', 'ready'))
  await reload(upstream('maintenance', 'drain'))
  await lb.logged(/Backends changed .*state ready → maintenance.*state ready → drain/)
  await reload(upstream('ready', 'ready'))
  await lb.logged(/Backends changed .*state maintenance → ready.*state drain → ready/)
})
