import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { ByteStream } from '../helpers/byte-stream.ts'
import { atEnd } from '../helpers/cleanup.ts'
import { MORE_THAN_KERNELS_HOLD, patience } from '../helpers/harsh.ts'
import { type Relay, startRelay } from '../helpers/relay-setup.ts'
import { echo, type StreamPeer } from '../helpers/stream-peer.ts'

const TIMEOUT_MS = 300
/** A timeout fires late where the machine is busy, but not so late as another timeout would. */
const LATE_MS = 3000 * patience

test('9. The idle timeout fires when nobody ever said anything', async (t) => {
  const relay = await startRelay(t, { listener: 'timeouts: { idle: 300ms }' })
  const { client, server } = await relay.pair()
  assert.deepEqual(await Promise.all([client.ends(), server.ends()]), ['end', 'end'])
  await checkEnd(relay, 'idle-timeout', TIMEOUT_MS)
})

test('9. The idle timeout fires when the talk has stopped', async (t) => {
  const relay = await startRelay(t, { serve: echo, listener: 'timeouts: { idle: 300ms }' })
  const client = await relay.connect()
  await client.say('hello')
  await client.hears('hello')
  assert.equal(await client.ends(), 'end')
  await checkEnd(relay, 'idle-timeout', TIMEOUT_MS)
})

for (const { name, choose } of directions()) {
  test(`9. Bytes from the ${name} put the idle timeout off`, async (t) => {
    const relay = await startRelay(t, { listener: 'timeouts: { idle: 1s }' })
    const { speaker, reader } = choose(await relay.pair())
    for (let n = 1; n <= 8; n++) {
      await pause(250)
      await speaker.say('x')
      await reader.hears('x'.repeat(n))
    }
    assert.deepEqual([speaker.ending, reader.ending], ['open', 'open'])
    assert.equal(await reader.ends(), 'end')
    await checkEnd(relay, 'idle-timeout', 3000)
  })

  test(`9. The idle timeout fires while bytes of the ${name} wait for a peer that does not read`, async (t) => {
    // Made before there is a connection: its time runs while a busy machine makes them.
    const bytes = new ByteStream(9).take(MORE_THAN_KERNELS_HOLD)
    const relay = await startRelay(t, { listener: 'timeouts: { idle: 500ms }' })
    const { speaker, reader } = choose(await relay.pair())
    reader.socket.pause()
    speaker.socket.write(bytes)
    // What it has not read is lost, and so its sender learns of it by a reset.
    assert.match(await speaker.ends(), /^(ECONNRESET|EPIPE|end)$/)
    await checkEnd(relay, name === 'client' ? 'backend-stalled' : 'client-stalled', 500)
  })

  test(`9. A connection that the ${name} has half closed ends when nothing moves for timeouts.halfClosed`, async (t) => {
    const relay = await startRelay(t, { listener: 'timeouts: { halfClosed: 300ms }' })
    const { speaker, reader } = choose(await relay.pair())
    speaker.finish()
    assert.equal(await reader.ends(), 'end')
    assert.equal(await speaker.ends(), 'end')
    await checkEnd(relay, 'half-closed-timeout', TIMEOUT_MS)
  })

  test(`9. A connection that the ${name} has half closed goes on while the other side speaks`, async (t) => {
    const relay = await startRelay(t, { listener: 'timeouts: { halfClosed: 1s }' })
    const { speaker: ended, reader: speaker } = choose(await relay.pair())
    ended.finish()
    assert.equal(await speaker.ends(), 'end')
    for (let n = 1; n <= 8; n++) {
      await pause(250)
      await speaker.say('x')
      await ended.hears('x'.repeat(n))
    }
    speaker.finish()
    assert.equal(await ended.ends(), 'end')
    const [line] = await relay.lb.accessLog(1)
    assert.match(String(line?.cause), /-closed$/)
  })
}

test('9. The maximum duration ends a connection on which nothing moves', async (t) => {
  const relay = await startRelay(t, { listener: 'timeouts: { maxDuration: 300ms }' })
  const { client, server } = await relay.pair()
  assert.deepEqual(await Promise.all([client.ends(), server.ends()]), ['end', 'end'])
  await checkEnd(relay, 'max-duration', TIMEOUT_MS)
})

test('9. The maximum duration ends a connection that is in use', async (t) => {
  const relay = await startRelay(t, { serve: echo, listener: 'timeouts: { maxDuration: 700ms, idle: 400ms }' })
  const client = await relay.connect()
  const talk = setInterval(() => client.socket.write('x'), 50)
  atEnd(t, () => clearInterval(talk))
  assert.match(await client.ends(), /^(end|ECONNRESET|EPIPE)$/)
  await checkEnd(relay, 'max-duration', 700)
})

test('9. A maximum duration does not hide an idle timeout that is shorter', async (t) => {
  const relay = await startRelay(t, { listener: 'timeouts: { maxDuration: 1m, idle: 300ms }' })
  const { client } = await relay.pair()
  assert.equal(await client.ends(), 'end')
  await checkEnd(relay, 'idle-timeout', TIMEOUT_MS)
})

interface Pair {
  readonly client: StreamPeer
  readonly server: StreamPeer
}

function directions() {
  return [
    { name: 'client', choose: ({ client, server }: Pair) => ({ speaker: client, reader: server }) },
    { name: 'backend', choose: ({ client, server }: Pair) => ({ speaker: server, reader: client }) },
  ] as const
}

async function checkEnd(relay: Relay, cause: string, leastMs: number): Promise<void> {
  const [line] = await relay.lb.accessLog(1)
  assert.equal(line?.cause, cause)
  const totalMs = Number(line?.totalMs)
  assert.ok(totalMs >= leastMs - 1, `it ended after ${totalMs} ms, ${leastMs} being the least`)
  assert.ok(totalMs < leastMs + LATE_MS, `it ended after ${totalMs} ms, ${leastMs} being the least`)
}
