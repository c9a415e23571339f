import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { ByteStream, ByteStreamCheck } from '../helpers/byte-stream.ts'
import { MORE_THAN_KERNELS_HOLD, transferSize } from '../helpers/harsh.ts'
import { startRelay } from '../helpers/relay-setup.ts'
import { echo, type StreamPeer } from '../helpers/stream-peer.ts'
import { waitUntilStill } from '../helpers/wait-until-still.ts'

test('1. Both directions carry data, and a close by the backend reaches the client', async (t) => {
  const relay = await startRelay(t)
  const { client, server } = await relay.pair()
  await client.say('question')
  await server.hears('question')
  await server.say('answer')
  await client.hears('answer')
  await client.say(', and another')
  await server.hears('question, and another')
  server.finish()
  assert.equal(await client.ends(), 'end')
  client.finish()
  assert.equal(await server.ends(), 'end')
  const [line] = await relay.lb.accessLog(1)
  assert.equal(line?.cause, 'backend-closed')
})

test('1. A close by the client reaches the backend', async (t) => {
  const relay = await startRelay(t)
  const { client, server } = await relay.pair()
  await client.say('question')
  client.finish()
  assert.equal(await server.ends(), 'end')
  assert.equal(server.heard, 'question')
  server.finish()
  assert.equal(await client.ends(), 'end')
  const [line] = await relay.lb.accessLog(1)
  assert.equal(line?.cause, 'client-closed')
})

test('2. A client that is silent for longer than the connect timeout after it was accepted still works', async (t) => {
  const relay = await startRelay(t, { serve: echo, upstream: 'connect: { timeout: 200ms }' })
  const client = await relay.connect()
  await relay.backend.peer()
  await pause(700)
  await client.say('at last')
  await client.hears('at last')
})

test('3. Half-close by the backend: the client still reaches it', async (t) => {
  const relay = await startRelay(t)
  const { client, server } = await relay.pair()
  await server.say('my last word')
  server.finish()
  assert.equal(await client.ends(), 'end')
  assert.equal(client.heard, 'my last word')
  await client.say('go on')
  await server.hears('go on')
  await client.say(' and on')
  await server.hears('go on and on')
  assert.equal(server.ending, 'open')
  client.finish()
  assert.equal(await server.ends(), 'end')
})

test('3. Half-close by the client: the backend still reaches it', async (t) => {
  const relay = await startRelay(t)
  const { client, server } = await relay.pair()
  await client.say('my last word')
  client.finish()
  assert.equal(await server.ends(), 'end')
  assert.equal(server.heard, 'my last word')
  await server.say('go on')
  await client.hears('go on')
  await server.say(' and on')
  await client.hears('go on and on')
  assert.equal(client.ending, 'open')
  server.finish()
  assert.equal(await client.ends(), 'end')
})

test('3. Half-close by a client that never said anything: the backend still reaches it', async (t) => {
  const relay = await startRelay(t)
  const { client, server } = await relay.pair()
  client.finish()
  assert.equal(await server.ends(), 'end')
  await server.say('hello')
  await client.hears('hello')
  server.finish()
  assert.equal(await client.ends(), 'end')
})

test('4. The backend speaks first: its greeting reaches a client that sent nothing', async (t) => {
  const relay = await startRelay(t, { serve: (peer) => void peer.say('220 ready\r\n') })
  const client = await relay.connect()
  await client.hears('220 ready\r\n')
  assert.equal(client.ending, 'open')
})

test('5. The backend writes, then closes: a client that reads late has all of it', async (t) => {
  await lastWords(t, (relay) => ({ speaker: relay.server, reader: relay.client }))
})

test('5. The client writes, then closes: a backend that reads late has all of it', async (t) => {
  await lastWords(t, (relay) => ({ speaker: relay.client, reader: relay.server }))
})

test('5. What the backend writes before it closes is delivered to a client that closed its direction before', async (t) => {
  const bytes = transferSize(4 << 20)
  const relay = await startRelay(t)
  const { client, server } = await relay.pair()
  const check = new ByteStreamCheck(5)
  client.onHeard((chunk) => check.add(chunk))
  client.finish()
  await server.ends()
  server.socket.end(new ByteStream(5).take(bytes))
  assert.equal(await client.ends(), 'end')
  assert.deepEqual([check.bytes, check.wrongAt], [bytes, undefined])
})

test('12. Reads and writes of one byte pass intact, both ways at once', async (t) => {
  const relay = await startRelay(t)
  const { client, server } = await relay.pair()
  const up = new ByteStreamCheck(1)
  const down = new ByteStreamCheck(2)
  server.onHeard((chunk) => up.add(chunk))
  client.onHeard((chunk) => down.add(chunk))
  await Promise.all([dribble(client, 1), dribble(server, 2)])
  client.finish()
  server.finish()
  assert.deepEqual(await Promise.all([client.ends(), server.ends()]), ['end', 'end'])
  assert.deepEqual([up.bytes, up.wrongAt, down.bytes, down.wrongAt], [1000, undefined, 1000, undefined])
})

test('12. A message of one byte is answered before the next is sent', async (t) => {
  const relay = await startRelay(t, { serve: echo })
  const client = await relay.connect()
  let said = ''
  for (const letter of 'one byte at a time') {
    said += letter
    await client.say(letter)
    await client.hears(said)
  }
})

test('13. A reset by the client reaches the backend as a reset', async (t) => {
  const relay = await startRelay(t, { serve: echo })
  const { client, server } = await relay.pair()
  await client.say('hello')
  await client.hears('hello')
  client.reset()
  assert.equal(await server.ends(), 'ECONNRESET')
  const [line] = await relay.lb.accessLog(1)
  assert.deepEqual([line?.cause, line?.error], ['client-reset', 'ECONNRESET'])
})

test('13. A reset by the backend reaches the client as a reset', async (t) => {
  const relay = await startRelay(t)
  const { client, server } = await relay.pair()
  await server.say('hello')
  await client.hears('hello')
  server.reset()
  assert.equal(await client.ends(), 'ECONNRESET')
  const [line] = await relay.lb.accessLog(1)
  assert.deepEqual([line?.cause, line?.error], ['backend-reset', 'ECONNRESET'])
})

test('13. A reset after a half-close reaches the other side as a reset', async (t) => {
  const relay = await startRelay(t)
  const { client, server } = await relay.pair()
  client.finish()
  assert.equal(await server.ends(), 'end')
  client.reset()
  assert.match(await server.fails(), /^(ECONNRESET|EPIPE)$/)
  const [line] = await relay.lb.accessLog(1)
  assert.equal(line?.cause, 'client-reset')
})

test('13. A reset by a side for which bytes wait reaches the other side', async (t) => {
  const relay = await startRelay(t)
  const { client, server } = await relay.pair()
  client.socket.pause()
  server.socket.write(new ByteStream(13).take(MORE_THAN_KERNELS_HOLD))
  await waitUntilStill('bytes to the client', () => relay.bytesDown())
  client.reset()
  assert.match(await server.ends(), /^(ECONNRESET|EPIPE)$/)
  const [line] = await relay.lb.accessLog(1)
  assert.equal(line?.cause, 'client-reset')
})

/** Says a thousand bytes, one in each write. */
async function dribble(peer: StreamPeer, seed: number): Promise<void> {
  const stream = new ByteStream(seed)
  for (let n = 0; n < 1000; n++) await peer.say(stream.take(1))
}

/** One side writes, closes and is gone while the other does not read yet. */
async function lastWords(
  t: TestContext,
  choose: (pair: { client: StreamPeer; server: StreamPeer }) => { speaker: StreamPeer; reader: StreamPeer },
): Promise<void> {
  const bytes = transferSize(4 << 20)
  const relay = await startRelay(t)
  const { speaker, reader } = choose(await relay.pair())
  const check = new ByteStreamCheck(5)
  reader.onHeard((chunk) => check.add(chunk))
  reader.socket.pause()
  speaker.socket.end(new ByteStream(5).take(bytes))
  await waitUntilStill(
    'bytes that the reader was sent',
    async () => (await relay.bytesUp()) + (await relay.bytesDown()),
  )
  reader.socket.resume()
  assert.equal(await reader.ends(), 'end')
  assert.deepEqual([check.bytes, check.wrongAt], [bytes, undefined])
}
