import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ByteStream } from '../helpers/byte-stream.ts'
import { freePort } from '../helpers/free-port.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { type Relay, startRelay } from '../helpers/relay-setup.ts'
import { echo, StreamBackend, StreamPeer } from '../helpers/stream-peer.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

const kinds = ['IPv4', 'IPv6', 'unix'] as const
type Kind = (typeof kinds)[number]

for (const kind of kinds) {
  test(`11. A backend on ${kind} alone is reached`, async (t) => {
    const backend = await StreamBackend.start(t, echo, await backendAddress(t, kind))
    const relay = await startRelay(t, { servers: [backend.address] })
    await roundTrip(await relay.connect())
    assert.equal(backend.peers.length, 1)
    const [line] = await relay.lb.accessLog(1)
    assert.equal(line?.backend, backend.address)
  })

  test(`11. A listener on ${kind} serves, and its access log names the client`, async (t) => {
    const relay = await startRelay(t, { serve: echo, bind: await listenerAddress(kind) })
    const client = await relay.connect()
    const name = clientName(kind, client)
    await roundTrip(client)
    const [line] = await relay.lb.accessLog(1)
    assert.deepEqual([line?.client, line?.bytesUp, line?.bytesDown], [name, 4, 4])
  })

  test(`11. An end that comes with bytes, and a half-close, pass a backend on ${kind}`, async (t) => {
    const serve = (peer: StreamPeer) => peer.socket.once('end', () => peer.socket.end(`heard ${peer.heard}`))
    const backend = await StreamBackend.start(t, serve, await backendAddress(t, kind))
    const relay = await startRelay(t, { servers: [backend.address] })
    const client = await relay.connect()
    client.socket.end('all of it')
    assert.equal(await client.ends(), 'end')
    assert.equal(client.heard, 'heard all of it')
  })
}

test('11. Backends on unix sockets stand among TCP ones, and each has its turn', async (t) => {
  const addresses = await Promise.all(kinds.map((kind) => backendAddress(t, kind)))
  const backends = await Promise.all(addresses.map((address) => StreamBackend.start(t, echo, address)))
  const relay = await startRelay(t, { servers: backends.map(({ address }) => address) })
  for (let n = 0; n < 9; n++) await roundTrip(await relay.connect())
  assert.deepEqual(
    backends.map(({ peers }) => peers.length),
    [3, 3, 3],
  )
})

test('11. One listener on IPv4, IPv6 and a unix socket at once serves them all', async (t) => {
  const backend = await StreamBackend.start(t, echo)
  const binds = await Promise.all(kinds.map((kind) => listenerAddress(kind)))
  const lb = await LoadBalancerProcess.start(
    t,
    `listeners: { edge: { bind: [${binds.map((bind) => `"${bind}"`).join(', ')}], upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`,
  )
  const names: string[] = []
  for (const [n, kind] of kinds.entries()) {
    const client = await StreamPeer.connect(t, binds[n]!.replace('@DIR@', lb.directory))
    names.push(clientName(kind, client))
    await roundTrip(client)
  }
  const lines = await lb.accessLog(3)
  assert.deepEqual(lines.map(({ client }) => client).sort(), names.sort())
})

for (const kind of kinds) {
  test(`32. The access log has the addresses and byte counts of ${kind} after the sockets are gone`, async (t) => {
    const backend = await StreamBackend.start(t, () => {}, await backendAddress(t, kind))
    const relay = await startRelay(t, { servers: [backend.address], bind: await listenerAddress(kind) })
    const expected = []
    for (const [up, down] of [
      [0, 1],
      [70_000, 0],
      [123_457, 345_679],
    ] as const) {
      const client = await relay.connect()
      expected.push({ client: clientName(kind, client), backend: backend.address, bytesUp: up, bytesDown: down })
      const server = await backend.peer(expected.length - 1)
      client.socket.end(new ByteStream(1).take(up))
      await server.ends()
      server.socket.end(new ByteStream(2).take(down))
      await client.ends()
      assert.deepEqual([server.heardBytes, client.heardBytes], [up, down])
    }
    await checkLog(relay, expected)
    const { listeners, upstreams } = await relay.lb.status()
    const sums = [193_457, 345_680]
    assert.deepEqual([listeners[0]?.bytesUp, listeners[0]?.bytesDown], sums)
    assert.deepEqual([upstreams[0]?.backends[0]?.bytesUp, upstreams[0]?.backends[0]?.bytesDown], sums)
  })
}

test('32. The access log has the addresses and byte counts of a connection that was reset', async (t) => {
  const relay = await startRelay(t)
  const { client, server } = await relay.pair()
  const name = clientName('IPv4', client)
  await client.say('12345')
  await server.hears('12345')
  await server.say('123')
  await client.hears('123')
  client.reset()
  await server.ends()
  await checkLog(relay, [{ client: name, backend: relay.backend.address, bytesUp: 5, bytesDown: 3 }])
})

test('32. The access log has the address of a client that was refused', async (t) => {
  const relay = await startRelay(t, { servers: [`127.0.0.1:${await freePort()}`], listener: 'onUnavailable: close' })
  const client = await relay.connect()
  const name = clientName('IPv4', client)
  await client.ends()
  await checkLog(relay, [{ client: name, backend: null, bytesUp: 0, bytesDown: 0 }])
})

test('32. The access log tells clients of several addresses apart, whichever slot they had', async (t) => {
  const relay = await startRelay(t, { serve: echo })
  const clients = await Promise.all(['127.0.0.2', '127.1.2.3', '127.255.255.254'].map((from) => relay.connect(from)))
  const names = clients.map((client) => clientName('IPv4', client))
  for (const client of clients) await roundTrip(client)
  const lines = await relay.lb.accessLog(3)
  assert.deepEqual(
    lines.map(({ client }) => client),
    names,
  )
  assert.match(String(lines[1]?.client), /^127\.1\.2\.3:/)
})

async function backendAddress(t: TestContext, kind: Kind): Promise<string> {
  if (kind === 'unix') return `unix:${join(temporaryDirectory(t), 'backend.sock')}`
  return kind === 'IPv4' ? '127.0.0.1:0' : '[::1]:0'
}

async function listenerAddress(kind: Kind): Promise<string> {
  if (kind === 'unix') return 'unix:@DIR@/edge.sock'
  return kind === 'IPv4' ? `127.0.0.1:${await freePort()}` : `[::1]:${await freePort('::1')}`
}

/** The name that the access log has for a client. */
function clientName(kind: Kind, { socket }: StreamPeer): string {
  if (kind === 'unix') return 'unix:'
  return kind === 'IPv4' ? `${socket.localAddress}:${socket.localPort}` : `[${socket.localAddress}]:${socket.localPort}`
}

async function roundTrip(client: StreamPeer): Promise<void> {
  await client.say('ping')
  await client.hears('ping')
  client.finish()
  assert.equal(await client.ends(), 'end')
}

async function checkLog(relay: Relay, expected: readonly Record<string, unknown>[]): Promise<void> {
  const lines = await relay.lb.accessLog(expected.length)
  assert.deepEqual(
    lines.map(({ client, backend, bytesUp, bytesDown }) => ({ client, backend, bytesUp, bytesDown })),
    expected,
  )
  for (const line of lines) assert.deepEqual([line.listener, line.upstream, line.generation], ['edge', 'web', 1])
}
