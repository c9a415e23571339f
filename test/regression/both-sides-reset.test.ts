import assert from 'node:assert/strict'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { freeze } from '../helpers/child-process.ts'
import { freePort } from '../helpers/free-port.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { preload } from '../helpers/preload.ts'
import { StreamBackend, StreamPeer } from '../helpers/stream-peer.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { waitUntil } from '../helpers/wait-until.ts'
import { within } from '../helpers/within.ts'

// The client was reset with more than one turn's bytes still to be delivered, and between two turns the backend was
// reset too. Each direction then waited for the other one, which was gone: nothing ended the connection before its idle
// timeout, and two descriptors, a place at the backend and a place under limits.connections were held until then.
test('both sides reset, the second while bytes of the first are delivered: the connection ends', async (t) => {
  const directory = temporaryDirectory(t)
  const [hold, held] = [join(directory, 'hold'), join(directory, 'held')]
  // Turns move little, and the first one after a side is known to be gone waits for the test.
  const nodeOptions = preload(
    directory,
    `import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
if (!isMainThread) {
  const { defaultTuning } = await program('dataplane/tuning.js')
  Object.assign(defaultTuning, { bytesPerTurn: 1024, readBytes: 512, largeReadBytes: 512 })
  const { Relay } = await program('dataplane/relay.js')
  const { Reactor } = await program('dataplane/reactor.js')
  const { noteGone } = Relay.prototype
  const { turn } = Reactor.prototype
  let gone = false
  Relay.prototype.noteGone = function (side) {
    gone = true
    return noteGone.call(this, side)
  }
  Reactor.prototype.turn = function () {
    if (gone && existsSync(${JSON.stringify(hold)})) {
      writeFileSync(${JSON.stringify(held)}, '')
      while (existsSync(${JSON.stringify(hold)}));
    }
    return turn.call(this)
  }
}
`,
  )
  writeFileSync(hold, '')
  const backend = await StreamBackend.start(t)
  const port = await freePort()
  const lb = await LoadBalancerProcess.start(t, {
    config: `workers: 1
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`,
    nodeOptions,
  })
  const client = await StreamPeer.connect(t, `127.0.0.1:${port}`)
  const server = await backend.peer()
  await client.say('hello')
  await server.hears('hello')
  await freeze(lb.child)
  await client.say(Buffer.alloc(32_768))
  client.reset()
  lb.child.kill('SIGCONT')
  await waitUntil('the worker is between two turns', () => existsSync(held))
  assert.equal(server.socket.closed, false, 'the backend was reset before the test did it')
  const closed = new Promise((resolve) => server.socket.once('close', resolve))
  server.reset()
  await within(5000, 'the backend has reset', closed)
  rmSync(hold)
  await waitUntil('the connection has ended', async () => (await lb.status()).connections.active === 0)
})
