import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import type { ServiceStatus } from '#src/control/service.js'
import { Libc } from '#src/kernel/libc.js'
import { bindSocket, listenOn } from '#src/kernel/listening-socket.js'
import { atEnd } from '../helpers/cleanup.ts'
import { freePort } from '../helpers/free-port.ts'
import { GreetedClient, tryGreeting } from '../helpers/greeted-client.ts'
import { HeldStart } from '../helpers/held-start.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { openDescriptors, restingDescriptorCount, threadCount } from '../helpers/process-usage.ts'
import { waitUntil } from '../helpers/wait-until.ts'

/** What a refused reload must not change. */
function served({ generation, listeners, upstreams, workers, generations, state }: ServiceStatus): unknown {
  return { generation, listeners, upstreams, workers, generations, state }
}

test('42. A refused file changes nothing, whatever is wrong with it, and does not block the next', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const [port, extra, next] = [await freePort(), await freePort(), await freePort()]
  const occupant = createServer().listen(0, '127.0.0.1')
  atEnd(t, () => occupant.close())
  await once(occupant, 'listening')
  const { port: occupied } = occupant.address() as { port: number }

  const edge = `edge: { bind: "127.0.0.1:${port}", upstream: web }`
  const good = `reload: { watch: false }
listeners: { ${edge} }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`
  const changed = (listeners: string, backend: NamedBackend, head = '') => `reload: { watch: false }
${head}
listeners: { ${listeners} }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const bad = {
    // Everything else in them asks for a change, of which nothing may be left.
    MCS_CONFIG_INVALID: [
      'listeners: { edge: { bind: "127.0.0.1:1", upstream: web }\nupstreams: [\n',
      changed(`edge: { bind: "127.0.0.1:${port}", upstream: wbe }`, b, 'workers: 4'),
    ],
    MCS_BIND_FAILED: [
      changed(
        `${edge}, extra: { bind: "127.0.0.1:${extra}", upstream: web }, taken: { bind: "127.0.0.1:${occupied}", upstream: web }`,
        b,
        'workers: 4',
      ),
    ],
    // Found out when the sockets are open already.
    MCS_LIMIT_EXCEEDED: [
      changed(`${edge}, extra: { bind: "127.0.0.1:${extra}", upstream: web }`, b, 'workers: 4').replace(
        'servers: [',
        `servers: [${heavyServers()}, `,
      ),
    ],
    MCS_LOG_UNWRITABLE: [
      changed(edge, b, 'workers: 4\naccessLog: { to: @DIR@/missing/access.log }'),
      changed(edge, b, 'workers: 4\naccessLog: { to: @DIR@ }'),
    ],
  }

  const lb = await LoadBalancerProcess.start(t, good)
  const held = await GreetedClient.open(t, port)
  const threads = threadCount(lb.pid)
  const descriptors = await restingDescriptorCount(lb.pid)
  for (const [code, files] of Object.entries(bad)) {
    for (const file of files) {
      const before = served(await lb.status())
      const result = await lb.reload(file)
      assert.equal(result.outcome, 'refused', file)
      if (result.outcome === 'refused') assert.ok(result.errors[0]?.code.startsWith(code), result.errors[0]?.code)
      await waitUntil('what was started for it ends', () => threadCount(lb.pid) === threads)
      assert.deepEqual(served(await lb.status()), before)
      assert.equal((await lb.status()).lastReload.result, 'refused')
      assert.equal(await tryGreeting(t, extra), 'ECONNREFUSED')
      assert.ok(await held.echoes())
      const client = await GreetedClient.open(t, port)
      assert.equal(client.backend, 'a')
      await client.end()
      await waitUntil('no descriptor is left over', () => openDescriptors(lb.pid).length === descriptors)
    }
  }
  const result = await lb.reload(
    changed(`${edge}, next: { bind: "127.0.0.1:${next}", upstream: web }`, b, 'workers: 2'),
  )
  assert.equal(result.outcome, 'serving')
  assert.equal(await tryGreeting(t, port), 'b')
  assert.equal(await tryGreeting(t, next), 'b')
  assert.ok(await held.echoes())
  assert.equal((await lb.reload(good)).outcome, 'serving')
  assert.equal(await tryGreeting(t, port), 'a')
})

test('42. A file that was refused for the machine is served once the machine allows it', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const port = await freePort()
  const occupant = createServer().listen(0, '127.0.0.1')
  atEnd(t, () => occupant.close())
  await once(occupant, 'listening')
  const { port: occupied } = occupant.address() as { port: number }
  const config = (bind: string) => `reload: { watch: false }
listeners: { edge: { bind: [${bind}], upstream: web } }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config(`"127.0.0.1:${port}"`))
  const wanted = config(`"127.0.0.1:${port}", "127.0.0.1:${occupied}"`)
  assert.equal((await lb.reload(wanted)).outcome, 'refused')
  occupant.close()
  await once(occupant, 'close')
  assert.equal((await lb.reload()).outcome, 'serving')
  assert.equal(await tryGreeting(t, occupied), 'a')
  assert.equal(await tryGreeting(t, port), 'a')
})

test('42. A port that is taken while a reload is prepared undoes all that was prepared', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const [port, extra] = [await freePort(), await freePort()]
  const config = (workers: number, extraListener = '') => `workers: ${workers}
reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web }${extraListener} }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`
  const start = new HeldStart(t)
  const lb = await LoadBalancerProcess.start(t, { config: config(1), nodeOptions: start.nodeOptions })
  const threads = threadCount(lb.pid)
  const descriptors = await restingDescriptorCount(lb.pid)
  // Two sockets may have one address as long as neither listens.
  const rival = bindSocket(
    { family: 'ipv4', host: '127.0.0.1', port: extra },
    { keepAliveMs: 60_000, reusePort: false },
  )
  atEnd(t, () => new Libc().close(rival))
  start.hold()
  const answer = lb.reload(config(3, `, extra: { bind: "127.0.0.1:${extra}", upstream: web }`))
  await start.held()
  assert.equal(listenOn(rival, 1), 0)
  start.release()
  const result = await answer
  assert.equal(result.outcome, 'refused')
  assert.equal(result.outcome === 'refused' && result.errors[0]?.code, 'MCS_BIND_FAILED')
  await waitUntil('what was started for it ends', () => threadCount(lb.pid) === threads)
  await waitUntil('no descriptor is left over', () => openDescriptors(lb.pid).length === descriptors)
  assert.deepEqual((await lb.status()).workers.length, 1)
  assert.equal((await lb.reload(config(2))).outcome, 'serving')
  assert.equal(await tryGreeting(t, port), 'a')
})

/** Servers whose weights make a round of round-robin longer than is allowed. */
function heavyServers(): string {
  return Array.from({ length: 4097 }, (_, i) => `{ address: "127.1.${i >> 8}.${i & 255}:9", weight: 256 }`).join(', ')
}
