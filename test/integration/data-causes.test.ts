import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { blackHole } from '../helpers/black-hole.ts'
import { ByteStream } from '../helpers/byte-stream.ts'
import { leaveDescriptors } from '../helpers/descriptor-limit.ts'
import { freePort } from '../helpers/free-port.ts'
import { MORE_THAN_KERNELS_HOLD, patience } from '../helpers/harsh.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { needs } from '../helpers/peers.ts'
import { startRelay } from '../helpers/relay-setup.ts'
import { StreamBackend, StreamPeer } from '../helpers/stream-peer.ts'
import { waitUntil } from '../helpers/wait-until.ts'

/** One way in which a connection ends, on a listener of its own, which is named for the cause. */
interface Way {
  readonly by: string
  readonly phase: string
  readonly timeouts?: string
  readonly upstream?: string
  /** In place of a backend of its own. */
  readonly server?: (t: TestContext) => Promise<string>
  /** What the peers do; without it nothing is done once the client is connected. */
  readonly act?: (client: StreamPeer, server: StreamPeer) => unknown
}

/** Made before there is a connection, so that no timeout runs while a busy machine makes it. */
const flood = new ByteStream(31).take(MORE_THAN_KERNELS_HOLD)

const ways: Readonly<Record<string, Way>> = {
  'client-closed': {
    by: 'client',
    phase: 'relay',
    act: (client, server) => {
      client.finish()
      server.socket.once('end', () => server.finish())
    },
  },
  'backend-closed': {
    by: 'backend',
    phase: 'relay',
    act: (client, server) => {
      server.finish()
      client.socket.once('end', () => client.finish())
    },
  },
  'client-reset': { by: 'client', phase: 'relay', act: (client) => client.reset() },
  'backend-reset': {
    by: 'backend',
    phase: 'relay',
    // Once a byte of the backend's has come through: a reset right after the accept is a failed attempt.
    act: (client, server) => {
      server.socket.write('x')
      client.socket.once('data', () => server.reset())
    },
  },
  'idle-timeout': { by: 'proxy', phase: 'relay', timeouts: 'idle: 300ms' },
  'client-stalled': {
    by: 'client',
    phase: 'relay',
    timeouts: 'idle: 2s',
    act: (client, server) => {
      client.socket.pause()
      server.socket.write(flood)
    },
  },
  'backend-stalled': {
    by: 'backend',
    phase: 'relay',
    timeouts: 'idle: 2s',
    act: (client, server) => {
      server.socket.pause()
      client.socket.write(flood)
    },
  },
  'half-closed-timeout': {
    by: 'proxy',
    phase: 'relay',
    timeouts: 'halfClosed: 300ms',
    act: (client) => client.finish(),
  },
  'max-duration': { by: 'proxy', phase: 'relay', timeouts: 'maxDuration: 300ms' },
  'client-aborted': { by: 'client', phase: 'connect', server: blackHole, act: (client) => client.reset() },
  'connect-failed': { by: 'backend', phase: 'connect', server: async () => `127.0.0.1:${await freePort()}` },
  'connect-timeout': { by: 'backend', phase: 'connect', upstream: 'connect: { timeout: 200ms }', server: blackHole },
}

test('31. Every way a connection can end has its own cause in the access log', async (t) => {
  const names = Object.keys(ways)
  const backends = await Promise.all(names.map(() => StreamBackend.start(t)))
  const ports = await Promise.all(names.map(() => freePort()))
  const servers = await Promise.all(names.map((name, n) => ways[name]!.server?.(t) ?? backends[n]!.address))
  const listeners = names.map((name, n) => {
    const { timeouts } = ways[name]!
    return `  ${name}: { bind: "127.0.0.1:${ports[n]}", upstream: ${name}, timeouts: { ${timeouts ?? ''} } }`
  })
  const upstreams = names.map((name, n) => {
    const { upstream } = ways[name]!
    return `  ${name}: { servers: [{ address: "${servers[n]}" }]${upstream === undefined ? '' : `, ${upstream}`} }`
  })
  const config = ['workers: 2', 'listeners:', ...listeners, 'upstreams:', ...upstreams, ''].join('\n')
  const lb = await LoadBalancerProcess.start(t, config)
  const clients = names.map(async (name, n) => {
    const client = await StreamPeer.connect(t, `127.0.0.1:${ports[n]}`)
    const { server, act } = ways[name]!
    if (act === undefined) return
    if (server !== undefined) {
      act(client, client)
      return
    }
    // What happens before the load balancer knows that it is connected is a failure to connect.
    const peer = await backends[n]!.peer()
    await client.say('hello')
    await peer.hears('hello')
    act(client, peer)
  })
  await Promise.all(clients)
  const lines = await lb.accessLog(names.length)
  const seen = lines.map(({ listener, cause, by, phase }) => ({ listener, cause, by, phase }))
  const expected = names.map((name) => ({ listener: name, cause: name, by: ways[name]!.by, phase: ways[name]!.phase }))
  const byListener = (a: { listener: unknown }, b: { listener: unknown }) =>
    String(a.listener).localeCompare(String(b.listener))
  assert.deepEqual(seen.sort(byListener), expected.sort(byListener))
})

test('31. Having no backend with room is a cause of its own, and the status tells who is full', async (t) => {
  const backend = await StreamBackend.start(t)
  const port = await freePort()
  const lb = await LoadBalancerProcess.start(
    t,
    `listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}", maxConnections: 1 }] } }
`,
  )
  await StreamPeer.connect(t, `127.0.0.1:${port}`)
  await backend.peer()
  const second = await StreamPeer.connect(t, `127.0.0.1:${port}`)
  assert.equal(await second.ends(), 'ECONNRESET')
  const [line] = await lb.accessLog(1)
  assert.deepEqual(
    [line?.cause, line?.by, line?.phase, line?.attemptCount, line?.backend],
    ['backends-full', 'proxy', 'connect', 0, null],
  )
  const { listeners, upstreams } = await lb.status()
  const [{ state, active, maxConnections } = assert.fail()] = upstreams[0]!.backends
  assert.deepEqual({ state, active, maxConnections }, { state: 'full', active: 1, maxConnections: 1 })
  assert.equal(listeners[0]!.turnedAway, 1)
})

test(
  '31. Having no descriptor for the backend is a cause of its own, and the worker survives it',
  needs('prlimit'),
  async (t) => {
    const relay = await startRelay(t, { top: 'reload: { watch: false }', upstream: 'connect: { timeout: 300ms }' })
    const restore = await leaveDescriptors(relay.lb.pid, 1)
    const client = await relay.connect()
    assert.equal(await client.ends(), 'ECONNRESET')
    restore()
    const [line] = await relay.lb.accessLog(1)
    assert.deepEqual([line?.cause, line?.error, line?.by], ['no-descriptors', 'EMFILE', 'proxy'])
    const { client: next, server } = await relay.pair()
    await next.say('hello')
    await server.hears('hello')
  },
)

test('31. The end of the process is a cause of its own', async (t) => {
  const relay = await startRelay(t, { top: 'shutdown: { drain: 0s }' })
  const { client } = await relay.pair()
  assert.equal(await relay.lb.stop(), 0)
  assert.equal(await client.ends(), 'end')
  const [line] = await relay.lb.accessLog(1)
  assert.deepEqual([line?.cause, line?.by], ['shutdown', 'proxy'])
})

for (const side of ['client', 'backend'] as const) {
  test(`31. A failing system call on the socket of the ${side} is a cause of its own`, needs('strace'), async (t) => {
    const prefix = ['strace', '-D', '-f', '-o', '/dev/null', '--trace=recvfrom']
    const relay = await startRelay(t, { prefix: [...prefix, '--inject=recvfrom:error=EHOSTUNREACH:when=1+'] })
    const { client, server } = await relay.pair()
    await (side === 'client' ? client : server).say('x')
    assert.match(await (side === 'client' ? server : client).ends(), /^(ECONNRESET|EPIPE)$/)
    const [line] = await relay.lb.accessLog(1)
    assert.deepEqual([line?.cause, line?.error, line?.by], [`${side}-error`, 'EHOSTUNREACH', side])
  })
}

test('31. In tcplog format the ends of the client, the backend and the proxy have different codes', async (t) => {
  const relay = await startRelay(t, {
    top: 'accessLog: { to: "@DIR@/tcp.log", format: tcplog }',
    listener: 'timeouts: { maxDuration: 1s }',
  })
  const kept = await relay.pair()
  const reset = await relay.pair()
  // Bytes have to pass first: a client that is reset before the load balancer sees its backend connected is `CC`.
  await reset.client.say('x')
  await reset.server.waitFor('a byte', () => reset.server.heardBytes === 1)
  reset.client.reset()
  await reset.server.ends()
  const broken = await relay.pair()
  await broken.server.say('x')
  await broken.client.waitFor('a byte', () => broken.client.heardBytes === 1)
  broken.server.reset()
  await broken.client.ends()
  await kept.client.ends()
  const log = join(relay.lb.directory, 'tcp.log')
  const codes = () => readFileSync(log, 'utf8').split('\n').filter(Boolean).map(terminationCode)
  await waitUntil('three lines', () => codes().length === 3, 5000 * patience)
  assert.deepEqual(codes().sort(), ['CD', 'KD', 'SD'])
})

/** HAProxy's termination_state, the last field but two. */
function terminationCode(line: string): string {
  return line.split(' ').at(-3)!
}
