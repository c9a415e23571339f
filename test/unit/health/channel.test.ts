import assert from 'node:assert/strict'
import test from 'node:test'
import { Channel } from '#src/health/channel.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { waitUntilStill } from '../../helpers/wait-until-still.ts'
import { startBackend } from './fixture.ts'

test('Channel.more() reads no more of a backend that does not stop than it may hold, and goes on when that is taken', async (t) => {
  let sentBytes = 0
  const address = await startBackend(t, (socket) => {
    const push = () => {
      socket.write(Buffer.alloc(65_536), (error) => {
        sentBytes += 65_536
        if (!error && sentBytes < 256 << 20) push()
      })
    }
    push()
  })
  const channel = new Channel()
  atEnd(t, () => channel.close())
  await channel.connect(address)
  assert.equal(await channel.more(), true)
  const stalledBytes = await waitUntilStill('the backend’s writes', () => sentBytes)
  // One read may come on top of what it has.
  assert.ok(channel.received.length < 2 * 65_536 + 1)
  while (sentBytes === stalledBytes) {
    channel.skip(channel.received.length)
    assert.equal(await channel.more(), true)
  }
})
