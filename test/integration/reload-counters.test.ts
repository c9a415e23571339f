import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServiceStatus } from '#src/control/service.js'
import { freeListenerPort } from '../helpers/free-listener-port.ts'
import { freePort } from '../helpers/free-port.ts'
import { endClients, type GreetedClient, openClients } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { waitUntil } from '../helpers/wait-until.ts'

const GREETING_BYTES = 2

/** What is counted of a listener and of a backend. */
function countsOf(status: ServiceStatus, listener: string) {
  const found = status.listeners.find(({ name }) => name === listener)!
  return { accepted: found.accepted, active: found.active, bytesUp: found.bytesUp, bytesDown: found.bytesDown }
}

function backendCountsOf(status: ServiceStatus) {
  return status.upstreams[0]!.backends.map(({ connections, active, bytesUp, bytesDown }) => ({
    connections,
    active,
    bytesUp,
    bytesDown,
  }))
}

test('44. What is counted goes on across reloads, and adds up over workers that come and go', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const config = (workers: number, idle: string) => `reload: { watch: false }
workers: ${workers}
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web, timeouts: { idle: ${idle} } } }
upstreams: { web: { servers: [{ address: "${a.address}" }, { address: "${b.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config(1, '1m'))
  const text = 'x'.repeat(999)
  const bytesEach = text.length + 1
  let accepted = 0
  const held: GreetedClient[] = []
  for (const [workers, idle] of [
    [4, '2m'],
    [4, '3m'],
    [1, '4m'],
    [4, '5m'],
    [1, '6m'],
  ] as const) {
    // Both kinds: connections that end within their generation, and connections that outlive it.
    const brief = await openClients(t, port, 40)
    const long = await openClients(t, port, 4)
    for (const client of [...brief, ...long]) assert.ok(await client.echoes(text))
    held.push(...long)
    accepted += brief.length + long.length
    await endClients(brief)
    assert.equal((await lb.reload(config(workers, idle))).outcome, 'serving')
    await waitUntil('what ended is counted', async () => (await lb.status()).connections.active === held.length)
    const status = await lb.status()
    const bytes = accepted * bytesEach
    assert.deepEqual(countsOf(status, 'edge'), {
      accepted,
      active: held.length,
      bytesUp: bytes,
      bytesDown: bytes + accepted * GREETING_BYTES,
    })
    const half = { connections: accepted / 2, active: held.length / 2 }
    const halfBytes = { bytesUp: bytes / 2, bytesDown: bytes / 2 + (accepted / 2) * GREETING_BYTES }
    assert.deepEqual(backendCountsOf(status), [
      { ...half, ...halfBytes },
      { ...half, ...halfBytes },
    ])
    assert.equal(status.connections.total, accepted)
    const inGenerations = status.generations.reduce((sum, { connections }) => sum + connections, 0)
    const inWorkers = status.workers.reduce((sum, { connections }) => sum + connections, 0)
    assert.deepEqual([inGenerations, inWorkers], [held.length, held.length])
  }
  await endClients(held)
  await waitUntil('nothing is open', async () => (await lb.status()).connections.active === 0)
  const status = await lb.status()
  assert.equal(countsOf(status, 'edge').active, 0)
  assert.deepEqual(
    status.upstreams[0]!.backends.map(({ active }) => active),
    [0, 0],
  )
  assert.equal(status.accessLog.dropped, 0)
  await lb.accessLog(accepted)
})

test('44. A listener and an upstream that come back find their counts, as long as connections remember them', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const [port, extra] = [await freePort(), await freeListenerPort()]
  const edge = `edge: { bind: "127.0.0.1:${port}", upstream: web }`
  const web = `web: { servers: [{ address: "${a.address}" }] }`
  const alone = (n: number) => `reload: { watch: false }
limits: { connections: ${1000 + n} }
listeners: { ${edge} }
upstreams: { ${web} }
`
  const both = (n: number) => `reload: { watch: false }
limits: { connections: ${1000 + n} }
listeners: { ${edge}, extra: { bind: "127.0.0.1:${extra}", upstream: more } }
upstreams: { ${web}, more: { servers: [{ address: "${a.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, both(0))
  await endClients(await openClients(t, extra, 5))
  await openClients(t, extra, 3)
  await lb.reload(alone(1))
  assert.equal((await lb.status()).connections.active, 3, 'open, though the file has no such listener')
  await lb.reload(alone(2))
  await lb.reload(both(3))
  const back = await lb.status()
  assert.deepEqual(countsOf(back, 'extra'), { accepted: 8, active: 3, bytesUp: 0, bytesDown: 8 * GREETING_BYTES })
  const more = back.upstreams.find(({ name }) => name === 'more')!
  assert.deepEqual([more.backends[0]?.connections, more.backends[0]?.active], [8, 3])
})
