import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freeListenerPort } from '../helpers/free-listener-port.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { echo, StreamBackend, StreamPeer } from '../helpers/stream-peer.ts'

// Clients who wait on a listener that goes are accepted before its socket is closed, which would reset them. Where
// limits.connections was reached they were not.
test('a client that waits because of limits.connections is not reset when its listener goes', async (t) => {
  const backend = await StreamBackend.start(t, echo)
  const [first, second] = [await freeListenerPort(), await freeListenerPort()]
  const config = (port: number) => `reload: { watch: false }
limits: { connections: 1 }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config(first))
  const [served, waiting] = [
    await StreamPeer.connect(t, `127.0.0.1:${first}`),
    StreamPeer.dial(t, `127.0.0.1:${first}`),
  ]
  await served.say('hello')
  await served.hears('hello')
  await waiting.waitFor('the connection', () => !waiting.socket.connecting)
  await waiting.say('hello')
  await lb.reload(config(second))
  await waiting.hears('hello')
  await served.say('!')
  await served.hears('hello!')
  assert.equal((await lb.status()).connections.active, 2)
})
