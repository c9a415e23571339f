import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blackHole } from '../helpers/black-hole.ts'
import { freeListenerPort } from '../helpers/free-listener-port.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { echo, StreamBackend, StreamPeer } from '../helpers/stream-peer.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// The order to end the connections of a backend that was removed passed over those that were being dialled: when the
// backend took them at last they lived on there, without end.
test('a backend that is removed with onRemoved: close gets no client that was being dialled', async (t) => {
  const away = await blackHole(t)
  const here = await StreamBackend.start(t, echo)
  const port = await freeListenerPort()
  const config = (address: string) => `reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams:
  web:
    connect: { timeout: 60s }
    connections: { onRemoved: close }
    servers: [{ address: "${address}" }]
`
  const lb = await LoadBalancerProcess.start(t, config(away))
  const client = await StreamPeer.connect(t, `127.0.0.1:${port}`)
  await client.say('hello')
  await waitUntil('it is dialled', async () => (await lb.servingBackends())[0]!.active === 1)
  await lb.reload(config(here.address))
  assert.equal(await client.ends(), 'ECONNRESET')
  const [line] = await lb.accessLog(1)
  assert.deepEqual(
    [line!.cause, line!.error, line!.attempts],
    ['connect-failed', 'ECONNABORTED', [{ backend: away, error: 'ECONNABORTED' }]],
  )
  assert.equal((await lb.status()).connections.active, 0)
})

// It stood in the backend's statistics, and might have made it sit out, that this program had given up by itself.
test('an attempt that is given up by order does not count against the backend', async (t) => {
  const away = await blackHole(t)
  const port = await freeListenerPort()
  const lb = await LoadBalancerProcess.start(
    t,
    `listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams:
  web:
    connect: { timeout: 60s }
    connections: { onUnhealthy: close }
    health: { type: tcp, interval: 200ms, timeout: 200ms, fall: 10 }
    servers: [{ address: "${away}" }]
`,
  )
  const client = await StreamPeer.connect(t, `127.0.0.1:${port}`)
  assert.equal(await client.ends(), 'ECONNRESET')
  const [line] = await lb.accessLog(1)
  assert.deepEqual([line!.error, line!.attempts], ['ECONNABORTED', [{ backend: away, error: 'ECONNABORTED' }]])
  const [backend] = await lb.servingBackends()
  assert.deepEqual([backend!.address, backend!.connectFailures], [away, 0])
})
