import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { adminRequest } from '#src/admin/client.js'
import type { ServiceStatus } from '#src/control/service.js'
import { freeListenerPort } from '../helpers/free-listener-port.ts'
import { freePort } from '../helpers/free-port.ts'
import { countByBackend, endClients, GreetedClient, openClients, tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { waitUntil } from '../helpers/wait-until.ts'

test('a reload adds and removes listeners, and leaves the others alone', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const [kept, extra] = [await freePort(), await freeListenerPort()]
  const config = (listeners: string) => `reload: { watch: false }
listeners: { kept: { bind: "127.0.0.1:${kept}", upstream: web }${listeners} }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config(''))
  const held = await GreetedClient.open(t, kept)
  for (let round = 0; round < 2; round++) {
    await lb.reload(config(`, extra: { bind: "127.0.0.1:${extra}", upstream: web }`))
    assert.equal(await tryGreeting(t, extra), 'a')
    await lb.reload(config(''))
    await waitUntil('it is gone', async () => (await tryGreeting(t, extra)) === 'ECONNREFUSED')
    assert.equal(await tryGreeting(t, kept), 'a')
  }
  // The address goes from one listener to another: its socket is kept.
  await lb.reload(config('').replace('kept:', 'renamed:'))
  assert.equal(await tryGreeting(t, kept), 'a')
  assert.deepEqual(
    (await lb.status()).listeners.map(({ name, state }) => ({ name, state })),
    [
      { name: 'renamed', state: 'serving' },
      { name: 'kept', state: 'closed' },
    ],
  )
  assert.ok(await held.echoes())
})

test('a listener is bound to all addresses and back while clients keep coming', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const port = await freeListenerPort()
  const config = (host: string) => `reload: { watch: false }
workers: 2
listeners: { edge: { bind: "${host}:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config('127.0.0.1'))
  const held = await GreetedClient.open(t, port)
  let isOver = false
  const greetings = new Map<string, number>()
  const comers = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const greeting = await tryGreeting(t, port)
      greetings.set(greeting, (greetings.get(greeting) ?? 0) + 1)
    }
  })
  for (const host of ['0.0.0.0', '127.0.0.1', '0.0.0.0', '127.0.0.1']) {
    const result = await lb.reload(config(host))
    assert.equal(result.outcome, 'serving', JSON.stringify(result))
    assert.equal(await tryGreeting(t, port), 'a')
    assert.deepEqual((await lb.status()).listeners[0]?.addresses, [`${host}:${port}`])
  }
  isOver = true
  await Promise.all(comers)
  assert.deepEqual([...greetings.keys()], ['a'], 'nobody was refused or reset')
  assert.ok(await held.echoes())
})

test('a reload replaces an upstream for connections that come after it', async (t) => {
  const [a, b, c] = [
    await NamedBackend.start(t, 'a'),
    await NamedBackend.start(t, 'b'),
    await NamedBackend.start(t, 'c'),
  ]
  const port = await freePort()
  const config = (upstream: string, servers: readonly NamedBackend[]) =>
    `reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: ${upstream} } }
upstreams: { ${upstream}: { servers: [${servers.map(({ address }) => `{ address: "${address}" }`)}] } }
`
  const lb = await LoadBalancerProcess.start(t, config('web', [a, b]))
  const old = await openClients(t, port, 4)
  await lb.reload(config('web', [c]))
  const later = await openClients(t, port, 4)
  await lb.reload(config('other', [b, c]))
  const last = await openClients(t, port, 4)
  assert.deepEqual([old, later, last].map(countByBackend), [{ a: 2, b: 2 }, { c: 4 }, { b: 2, c: 2 }])
  for (const client of [...old, ...later, ...last]) assert.ok(await client.echoes())
})

test('workers go from one to four and back, and every one of four accepts', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const port = await freePort()
  const config = (workers: number) => `reload: { watch: false }
workers: ${workers}
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config(1))
  const held: GreetedClient[] = []
  for (let round = 0; round < 2; round++) {
    await lb.reload(config(4))
    held.push(...(await openClients(t, port, 120)))
    const { workers } = await lb.status()
    assert.equal(workers.filter(({ state, connections }) => state === 'serving' && connections > 0).length, 4)
    await lb.reload(config(1))
    const few = await lb.status()
    assert.deepEqual(
      few.workers.map(({ state }) => state),
      ['serving', 'retiring', 'retiring', 'retiring'],
    )
    const acceptedBefore = few.workers.map(({ accepted }) => accepted)
    await endClients(await openClients(t, port, 10))
    const acceptedSince = (await lb.status()).workers.map(({ accepted }, id) => accepted - acceptedBefore[id]!)
    assert.deepEqual(acceptedSince, [10, 0, 0, 0], 'those that retire accept no more')
  }
  for (const client of held) assert.ok(await client.echoes())
  await endClients(held)
  await waitUntil('they end with their last connection', async () => (await lb.status()).workers.length === 1)
})

test('the access log goes over to another path, and no line is lost', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const port = await freePort()
  const config = (name: string) => `reload: { watch: false }
workers: 2
accessLog: { to: @DIR@/${name}.log }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config('first'))
  const linesOf = (name: string) => readFileSync(join(lb.directory, `${name}.log`), 'utf8').split('\n').length - 1
  const across = await openClients(t, port, 3)
  await endClients(await openClients(t, port, 5))
  await lb.reload(config('second'))
  await endClients([...across, ...(await openClients(t, port, 4))])
  await waitUntil('the new file has what ended since', () => linesOf('second') === 7)
  assert.equal(linesOf('first'), 5)
  const { accessLog } = await lb.status()
  assert.deepEqual(accessLog, { written: 12, dropped: 0 })
})

test('the admin socket goes over to another path', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const port = await freePort()
  const config = (name: string) => `reload: { watch: false }
admin: { socket: @DIR@/${name}.sock }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config('admin'))
  const result = await lb.reload(config('other'))
  assert.equal(result.outcome, 'serving', 'the answer still comes over the old one')
  const other = join(lb.directory, 'other.sock')
  const status = (await adminRequest(other, 'GET', '/status')).body as ServiceStatus
  assert.equal(status.pid, lb.pid)
  await waitUntil('the old one is gone', () => !existsSync(lb.adminSocket))
  lb.writeConfig(config('admin'))
  await adminRequest(other, 'POST', '/reload')
  await waitUntil('it is back, and the other is gone', async () => (await lb.tryStatus()) !== undefined)
  assert.equal(await lb.stop(), 0)
  assert.deepEqual([existsSync(lb.adminSocket), existsSync(other)], [false, false])
})
