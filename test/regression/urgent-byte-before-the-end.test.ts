import assert from 'node:assert/strict'
import { test } from 'node:test'
import { declare, permanent } from '#src/kernel/library.js'
import { startRelay } from '../helpers/relay-setup.ts'
import type { StreamPeer } from '../helpers/stream-peer.ts'
import { waitUntil } from '../helpers/wait-until.ts'

const MSG_OOB = 1
const ANSWER_BYTES = 1_500_000
const send = declare('long send(int, uintptr_t, size_t, int)')
const byte = permanent(8)

function sayUrgently(peer: StreamPeer): void {
  const { fd } = (peer.socket as unknown as { _handle: { fd: number } })._handle
  assert.equal(send(fd, byte.at, 1, MSG_OOB), 1)
}

// Where memory for slow peers was used up, bytes were peeked. A peek passes over an urgent byte and leaves it in the
// socket; closed with that unread, the socket reset the client, which lost what it had not read of the answer.
test('an urgent byte before the end does not cut off the answer where bytes are peeked', async (t) => {
  // So little for each worker that there is no chunk at all.
  const relay = await startRelay(t, { top: 'workers: 32\nlimits: { pendingBytes: 1MiB }' })
  const { client, server } = await relay.pair()
  client.socket.pause()
  await client.say('abc')
  sayUrgently(client)
  client.finish()
  await server.hears('abc')
  await server.ends()
  await server.say(Buffer.alloc(ANSWER_BYTES))
  server.finish()
  await relay.lb.accessLog(1)
  client.socket.resume()
  await waitUntil('the stream ends', () => client.ending !== 'open')
  assert.deepEqual([client.ending, client.heardBytes], ['end', ANSWER_BYTES])
})
