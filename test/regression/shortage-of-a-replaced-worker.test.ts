import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { leaveDescriptors } from '../helpers/descriptor-limit.ts'
import { freePort } from '../helpers/free-port.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { needs } from '../helpers/peers.ts'
import { echo, StreamBackend, StreamPeer } from '../helpers/stream-peer.ts'
import { waitUntil } from '../helpers/wait-until.ts'
import { WorkerFault } from '../helpers/worker-fault.ts'

// A worker counts how often a descriptor was wanting. The count of its successor begins anew, and that it was another
// than before was told as one more shortage.
test('a worker that takes the place of one that threw is not short of descriptors', needs('prlimit'), async (t) => {
  const fault = new WorkerFault(t, 'throws')
  const backend = await StreamBackend.start(t, echo)
  const port = await freePort()
  const lb = await LoadBalancerProcess.start(t, {
    config: `workers: 1
reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`,
    nodeOptions: fault.nodeOptions,
  })
  const shortages = () => lb.stderr.match(/No file descriptor is left/g)?.length ?? 0
  const greet = async (client: StreamPeer) => {
    await client.say('hello')
    await client.hears('hello')
  }
  const served = await StreamPeer.connect(t, `127.0.0.1:${port}`)
  await greet(served)
  const restore = await leaveDescriptors(lb.pid, 0)
  const waiting = await StreamPeer.connect(t, `127.0.0.1:${port}`)
  await waitUntil('it is told', () => shortages() === 1)
  restore()
  await greet(waiting)
  await waitUntil('there is room for a while', () => /Clients need not wait any more/.test(lb.stderr), 20_000)
  fault.arm()
  await served.say('this one is hit')
  await waitUntil('another takes its place', async () => (await lb.status()).workers[0]!.restarts === 1)
  // Main looks once a second; that it stays silent has no condition to wait for.
  await pause(2500)
  assert.equal(shortages(), 1)
})
