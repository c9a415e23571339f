import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { atEnd } from '../helpers/cleanup.ts'
import { freePort } from '../helpers/free-port.ts'
import { GreetedClient, openClients, tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { preload } from '../helpers/preload.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { waitUntil } from '../helpers/wait-until.ts'

const faults = {
  'an exception': { signal: 'SIGWINCH', action: `throw new Error('injected')` },
  'a rejection': { signal: 'SIGCONT', action: `void Promise.reject(new Error('injected'))` },
} as const

for (const [what, { signal, action }] of Object.entries(faults)) {
  test(`${what} that nobody handles in main ends the process with 1, though workers wait in epoll_wait`, async (t) => {
    const a = await NamedBackend.start(t, 'a')
    const port = await freePort()
    const lb = await LoadBalancerProcess.start(t, {
      config: `workers: 3
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`,
      nodeOptions: preload(temporaryDirectory(t), `if (isMainThread) process.on('${signal}', () => { ${action} })`),
    })
    const clients = await openClients(t, port, 3)
    const sentAt = performance.now()
    lb.child.kill(signal)
    assert.equal(await lb.exited, 1)
    assert.ok(performance.now() - sentAt < 2000, 'within 2 s')
    assert.match(lb.stderr, /A fault in the control plane.*injected/)
    await Promise.all(clients.map((client) => client.ended))
  })
}

/** A load balancer with one backend, and `drain` for the connections that a stop finds. */
async function setUp(t: Parameters<typeof NamedBackend.start>[0], drain: string) {
  const a = await NamedBackend.start(t, 'a')
  const port = await freePort()
  const lb = await LoadBalancerProcess.start(
    t,
    `workers: 2
shutdown: { drain: ${drain} }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`,
  )
  return { a, port, lb }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} refuses new clients, waits for the connections, and exits 0 as soon as the last is gone`, async (t) => {
    const { port, lb } = await setUp(t, '20s')
    const [first, last] = [await GreetedClient.open(t, port), await GreetedClient.open(t, port)]
    lb.child.kill(signal)
    await waitUntil('it drains', () => lb.stderr.includes('Stopped accepting'))
    assert.equal(await tryGreeting(t, port), 'ECONNREFUSED')
    assert.equal((await lb.status()).state, 'draining')
    assert.ok((await first.echoes()) && (await last.echoes()))
    await first.end()
    assert.ok(await last.echoes())
    assert.equal(lb.child.exitCode, null)
    await last.end()
    assert.equal(await lb.exited, 0)
    assert.equal(existsSync(lb.adminSocket), false)
    const causes = (await lb.accessLog(2)).map(({ cause }) => cause)
    assert.deepEqual(causes, ['client-closed', 'client-closed'])
  })
}

test('connections that are left when shutdown.drain is over end with the cause shutdown, and the exit is 0', async (t) => {
  const { a, port, lb } = await setUp(t, '300ms')
  const clients = await openClients(t, port, 5)
  await clients[0]!.end()
  const sentAt = performance.now()
  assert.equal(await lb.stop(), 0)
  const tookMs = performance.now() - sentAt
  assert.ok(tookMs >= 300 && tookMs < 3000, `${tookMs} ms`)
  await Promise.all(clients.map((client) => client.ended))
  await waitUntil('the backend is rid of them', () => a.open === 0)
  const causes = (await lb.accessLog(5)).map(({ cause }) => cause)
  assert.deepEqual(causes, ['client-closed', ...Array.from({ length: 4 }, () => 'shutdown')])
})

test('a second SIGTERM ends the process at once, with 1, and leaves out what takes time', async (t) => {
  const { port, lb } = await setUp(t, '1h')
  const clients = await openClients(t, port, 2)
  lb.child.kill('SIGTERM')
  await waitUntil('it drains', () => lb.stderr.includes('Stopped accepting'))
  const said = lb.stderr
  const sentAt = performance.now()
  lb.child.kill('SIGTERM')
  assert.equal(await lb.exited, 1)
  assert.ok(performance.now() - sentAt < 1000)
  await Promise.all(clients.map((client) => client.ended))
  assert.equal(lb.stderr, said, 'it says nothing')
  assert.equal(readFileSync(lb.accessLogFile, 'utf8'), '')
  assert.ok(existsSync(lb.adminSocket), 'the admin socket stays')
  const next = new LoadBalancerProcess(t, {
    config: `admin: { socket: ${lb.adminSocket} }
listeners: { edge: { bind: "127.0.0.1:${await freePort()}", upstream: web } }
upstreams: { web: { servers: [{ address: "127.0.0.1:9" }] } }
`,
  })
  await waitUntil('the next process answers on it', async () => (await lb.tryStatus())?.pid === next.pid)
})

test('a stop while much waits for a slow reader ends in order', async (t) => {
  const block = Buffer.alloc(1024 * 1024, 'x')
  const flood = createServer((socket) => {
    socket.on('error', () => {})
    for (let i = 0; i < 50; i++) socket.write(block)
  }).listen(0, '127.0.0.1')
  atEnd(t, () => flood.close())
  await once(flood, 'listening')
  const port = await freePort()
  const lb = await LoadBalancerProcess.start(
    t,
    `shutdown: { drain: 100ms }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "127.0.0.1:${(flood.address() as { port: number }).port}" }] } }
`,
  )
  const clients = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  atEnd(t, () => {
    for (const client of clients) client.destroy()
  })
  for (const client of clients) {
    await once(client, 'readable')
    client.pause()
  }
  assert.equal(await lb.stop(), 0)
  const lines = await lb.accessLog(4)
  assert.ok(lines.every(({ cause, bytesDown }) => cause === 'shutdown' && (bytesDown as number) > 0))
})

test('a bad file at the start exits 78, and a port in use 1; both say why', async (t) => {
  const occupant = createServer().listen(0, '127.0.0.1')
  atEnd(t, () => occupant.close())
  await once(occupant, 'listening')
  const { port } = occupant.address() as { port: number }
  const config = (upstream: string) => `listeners: { edge: { bind: "127.0.0.1:${port}", upstream: ${upstream} } }
upstreams: { web: { servers: [{ address: "127.0.0.1:9" }] } }
`
  const bad = new LoadBalancerProcess(t, { config: config('wbe') })
  const inUse = new LoadBalancerProcess(t, { config: config('web') })
  const unwritable = new LoadBalancerProcess(t, { config: `accessLog: { to: @DIR@/missing/a.log }\n${config('web')}` })
  assert.equal(await bad.exited, 78)
  assert.match(bad.stderr, /there is no upstream \\"wbe\\"/)
  assert.equal(await inUse.exited, 1)
  assert.match(inUse.stderr, /Cannot bind listener "edge" to 127\.0\.0\.1:\d+: the address is in use/)
  assert.equal(await unwritable.exited, 1)
  assert.match(unwritable.stderr, /missing\/a\.log/)
})
