import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { GreetedClient, openClients, tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { preload } from '../helpers/preload.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { waitUntil } from '../helpers/wait-until.ts'

test('41. Connections stay with the backend and the timeouts they began with, and new ones meet the new', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const config = (backend: NamedBackend, idle: string) => `reload: { watch: false }
listeners:
  edge: { bind: "127.0.0.1:${port}", upstream: web, timeouts: { idle: ${idle} } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config(a, '10m'))
  const generations = [(await lb.status()).generation]
  const reload = async (text: string) => generations.push((await lb.reload(text)).generation)
  const patient = await GreetedClient.open(t, port)
  await reload(config(b, '500ms'))
  const hasty = await GreetedClient.open(t, port)
  await reload(config(b, '20m'))
  const latest = await GreetedClient.open(t, port)
  assert.deepEqual([patient.backend, hasty.backend, latest.backend], ['a', 'b', 'b'])
  assert.ok(await patient.echoes())
  assert.deepEqual(
    (await lb.status()).generations,
    generations.map((generation) => ({ generation, connections: 1 })),
  )
  // All are silent from here on. Only the one that was accepted under the short timeout is ended by it.
  const [line] = await lb.accessLog(1)
  assert.deepEqual([line?.generation, line?.cause, line?.backend], [generations[1], 'idle-timeout', b.address])
  assert.ok((await patient.echoes()) && (await latest.echoes()))
  await patient.end()
  const lines = await lb.accessLog(2)
  assert.deepEqual(
    [lines[1]?.generation, lines[1]?.cause, lines[1]?.backend],
    [generations[0], 'client-closed', a.address],
  )
})

test('41. Clients that wait to be accepted when their listener goes are accepted, under the old snapshot', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const [gone, kept] = [await freePort(), await freePort()]
  const directory = temporaryDirectory(t)
  const sluggish = join(directory, 'sluggish')
  const config = (listener: string, bind: number, backend: NamedBackend) => `workers: 2
reload: { watch: false }
listeners: { ${listener}: { bind: "127.0.0.1:${bind}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, {
    config: config('gone', gone, a),
    // While the file is there no worker accepts of its own accord, so that clients queue up.
    nodeOptions: preload(
      directory,
      `import { existsSync } from 'node:fs'
if (!isMainThread) {
  const { Acceptor } = await program('dataplane/acceptor.js')
  const { onEvent } = Acceptor.prototype
  Acceptor.prototype.onEvent = function (...args) {
    if (!existsSync(${JSON.stringify(sluggish)})) onEvent.apply(this, args)
  }
}
`,
    ),
  })
  const { generation } = await lb.status()
  writeFileSync(sluggish, '')
  const sockets = Array.from({ length: 20 }, () => connect(gone, '127.0.0.1'))
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  const greetings = Promise.all(sockets.map((socket) => GreetedClient.greet(t, socket)))
  assert.equal((await lb.reload(config('kept', kept, b))).outcome, 'serving')
  const clients = await greetings
  assert.ok(clients.every(({ backend }) => backend === 'a'))
  assert.deepEqual((await lb.status()).generations, [{ generation, connections: clients.length }])
  for (const client of clients) assert.ok(await client.echoes())
})

test('41. Connections of a listener, an upstream and a worker that are gone live on', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const [kept, gone] = [await freePort(), await freePort()]
  const lb = await LoadBalancerProcess.start(
    t,
    `workers: 4
listeners:
  kept: { bind: "127.0.0.1:${kept}", upstream: new }
  gone: { bind: "127.0.0.1:${gone}", upstream: old }
upstreams:
  new: { servers: [{ address: "${b.address}" }] }
  old: { servers: [{ address: "${a.address}" }] }
`,
  )
  const old = await openClients(t, gone, 64)
  assert.ok((await lb.status()).workers.filter((worker) => worker.connections > 0).length > 1, 'spread over workers')
  await lb.reload(`reload: { watch: false }
workers: 1
listeners: { kept: { bind: "127.0.0.1:${kept}", upstream: new } }
upstreams: { new: { servers: [{ address: "${b.address}" }] } }
`)
  await waitUntil('the listener is gone', async () => (await tryGreeting(t, gone)) === 'ECONNREFUSED')
  assert.equal(await tryGreeting(t, kept), 'b')
  for (const client of old) assert.ok(await client.echoes())
  assert.ok((await lb.status()).workers.some((worker) => worker.state === 'retiring'))
  await Promise.all(old.map((client) => client.end()))
  await waitUntil('workers end with their last connection', async () => (await lb.status()).workers.length === 1)
  const lines = await lb.accessLog(old.length + 1)
  assert.ok(lines.every(({ cause }) => cause === 'client-closed'))
})
