import assert from 'node:assert/strict'
import { test } from 'node:test'
import { patience } from '../helpers/harsh.ts'
import { needs } from '../helpers/peers.ts'
import { startRelay } from '../helpers/relay-setup.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// Every worker looked whether there was room, accepted, and only then counted: so several of them took the last place,
// and limits.connections was exceeded by as many as there were workers less one. A place is now taken before accept4.
test('limits.connections holds while several workers accept at the same moment', needs('strace'), async (t) => {
  // The moment between looking and counting is long here.
  const strace = ['strace', '-D', '-f', '-o', '/dev/null', '--trace=accept4', '--inject=accept4:delay_exit=50000']
  const relay = await startRelay(t, {
    top: 'workers: 4\nlimits: { connections: 1 }',
    serve: (peer) => void peer.say('hello'),
    prefix: strace,
  })
  for (let round = 1; round <= 5; round++) {
    const clients = await Promise.all(Array.from({ length: 8 }, () => relay.connect()))
    const countServed = () => clients.filter(({ heard }) => heard !== '').length
    for (let served = 1; served <= clients.length; served++) {
      await waitUntil('a client is served', () => countServed() >= served, 10_000 * patience)
      const { connections } = await relay.lb.status()
      assert.ok(connections.active <= 1, `${connections.active} are open at once`)
      assert.equal(relay.backend.peers.length, clients.length * (round - 1) + served)
      clients.find(({ heard, socket }) => heard !== '' && !socket.destroyed)!.reset()
    }
  }
})
