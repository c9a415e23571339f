import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ByteStream, ByteStreamCheck } from '../helpers/byte-stream.ts'
import { isHarsh, MORE_THAN_KERNELS_HOLD, patience, transferSize } from '../helpers/harsh.ts'
import { residentBytes } from '../helpers/process-usage.ts'
import { startRelay } from '../helpers/relay-setup.ts'
import type { StreamPeer } from '../helpers/stream-peer.ts'
import { waitUntil } from '../helpers/wait-until.ts'
import { waitUntilStill } from '../helpers/wait-until-still.ts'

const MIB = 1 << 20
const CHUNK_BYTES = isHarsh ? 2048 : 65_536
/** The load balancer's threads, and what Node's garbage collector leaves lying about. */
const MEMORY_NOISE_BYTES = 24 * MIB

test('6. 50 MiB and more to a client that pauses: reading stops, resumes, every byte arrives, then the FIN', async (t) => {
  await pausedTransfer(t, ({ client, server }) => ({ speaker: server, reader: client }))
})

test('6. 50 MiB and more to a backend that pauses: reading stops, resumes, every byte arrives, then the FIN', async (t) => {
  await pausedTransfer(t, ({ client, server }) => ({ speaker: client, reader: server }))
})

test('6. 50 MiB in both directions at once, each reader pausing in its turn', async (t) => {
  const bytes = transferSize(50 * MIB)
  const relay = await startRelay(t)
  const { client, server } = await relay.pair()
  const up = pausingReader(server, 1, bytes / 3)
  const down = pausingReader(client, 2, bytes / 5)
  await Promise.all([speak(client, 1, bytes), speak(server, 2, bytes)])
  client.finish()
  server.finish()
  assert.deepEqual(await Promise.all([client.ends(), server.ends()]), ['end', 'end'])
  assert.deepEqual([up.bytes, up.wrongAt, down.bytes, down.wrongAt], [bytes, undefined, bytes, undefined])
  const [line] = await relay.lb.accessLog(1)
  assert.deepEqual([line?.bytesUp, line?.bytesDown], [bytes, bytes])
})

test('6. Clients who never read hold a bounded share of memory, and the others are served', async (t) => {
  const relay = await startRelay(t, { top: 'limits: { pendingBytes: 1MiB }', serve: answerByCommand })
  const before = residentBytes(relay.lb.pid)
  const stalled = await Promise.all(Array.from({ length: 30 }, () => relay.connect()))
  for (const client of stalled) {
    client.socket.pause()
    await client.say('flood')
  }
  const bytes = floodBytes()
  const stuck = await waitUntilStill('bytes to clients who never read', relay.bytesDown)
  if (!isHarsh) assert.ok(stuck < stalled.length * bytes, 'nothing waits')
  assert.ok(residentBytes(relay.lb.pid) - before < MEMORY_NOISE_BYTES)
  const lively = await relay.connect()
  await lively.say('hello')
  await lively.hears('hello')
  const checks = stalled.map((client) => {
    const check = new ByteStreamCheck(6)
    client.onHeard((chunk) => check.add(chunk))
    client.socket.resume()
    return check
  })
  await waitUntil(
    'every byte arrives',
    () => checks.every((check) => check.bytes === bytes || check.wrongAt !== undefined),
    60_000 * patience,
  )
  assert.deepEqual(new Set(checks.map((check) => check.wrongAt)), new Set([undefined]))
})

test('7. Stopping while bytes wait for a slow client does not crash, and says why the connection ended', async (t) => {
  await stopWhileStalled(t, ({ client, server }) => ({ speaker: server, reader: client }))
})

test('7. Stopping while bytes wait for a slow backend does not crash, and says why the connection ended', async (t) => {
  await stopWhileStalled(t, ({ client, server }) => ({ speaker: client, reader: server }))
})

test('7. Stopping lets a slow client take what waits for it, within the time to drain', async (t) => {
  const bytes = transferSize(MORE_THAN_KERNELS_HOLD)
  const relay = await startRelay(t, { top: 'shutdown: { drain: 1m }' })
  const { client, server } = await relay.pair()
  const check = new ByteStreamCheck(7)
  client.onHeard((chunk) => check.add(chunk))
  client.socket.pause()
  server.socket.end(new ByteStream(7).take(bytes))
  await waitUntilStill('bytes to the client', relay.bytesDown)
  relay.lb.child.kill('SIGTERM')
  await waitUntil('it drains', async () => (await relay.lb.status()).state === 'draining', 5000 * patience)
  client.socket.resume()
  assert.equal(await client.ends(), 'end')
  client.finish()
  assert.deepEqual([check.bytes, check.wrongAt], [bytes, undefined])
  assert.equal(await relay.lb.exited, 0)
})

interface Pair {
  readonly client: StreamPeer
  readonly server: StreamPeer
}

interface Roles {
  readonly speaker: StreamPeer
  readonly reader: StreamPeer
}

async function pausedTransfer(t: TestContext, choose: (pair: Pair) => Roles): Promise<void> {
  const bytes = transferSize(MORE_THAN_KERNELS_HOLD)
  const relay = await startRelay(t)
  const { speaker, reader } = choose(await relay.pair())
  const check = new ByteStreamCheck(6)
  reader.onHeard((chunk) => check.add(chunk))
  const before = residentBytes(relay.lb.pid)
  reader.socket.pause()
  const said = speak(speaker, 6, bytes)
  const progress = await waitUntilStill('the bytes of a sender whose reader pauses', () => speaker.saidBytes)
  // What is small enough for the buffers of four sockets passes a reader that pauses; that is no fault.
  if (!isHarsh) assert.ok(progress < bytes, `${progress} of ${bytes} bytes were taken`)
  assert.ok(residentBytes(relay.lb.pid) - before < MEMORY_NOISE_BYTES)
  for (const part of [0.2, 0.6]) {
    reader.socket.resume()
    await reader.waitFor('a part of the bytes', () => check.bytes > part * bytes)
    reader.socket.pause()
    await waitUntilStill('the bytes of a sender whose reader pauses again', () => speaker.saidBytes)
  }
  assert.equal(reader.ending, 'open')
  reader.socket.resume()
  await said
  speaker.finish()
  assert.equal(await reader.ends(), 'end')
  assert.deepEqual([check.bytes, check.wrongAt], [bytes, undefined])
  assert.ok(residentBytes(relay.lb.pid) - before < MEMORY_NOISE_BYTES)
}

async function stopWhileStalled(t: TestContext, choose: (pair: Pair) => Roles): Promise<void> {
  const relay = await startRelay(t, { top: 'shutdown: { drain: 300ms }' })
  const { speaker, reader } = choose(await relay.pair())
  reader.socket.pause()
  void speak(speaker, 7, MORE_THAN_KERNELS_HOLD)
  await waitUntilStill('bytes to a reader who has stopped', () => speaker.saidBytes)
  assert.equal(await relay.lb.stop(), 0)
  assert.doesNotMatch(relay.lb.stderr, /crash|threw|MCS_/i)
  const [line] = await relay.lb.accessLog(1)
  assert.equal(line?.cause, 'shutdown')
}

/** Says so many bytes of a stream, no faster than the kernel takes them. */
async function speak(peer: StreamPeer, seed: number, bytes: number): Promise<void> {
  const stream = new ByteStream(seed)
  for (let left = bytes; left > 0 && !peer.socket.destroyed; left -= CHUNK_BYTES) {
    await peer.say(stream.take(Math.min(left, CHUNK_BYTES)))
  }
}

/** Pauses whenever `everyBytes` more have come, for a turn of the event loop and a bit. */
function pausingReader(peer: StreamPeer, seed: number, everyBytes: number): ByteStreamCheck {
  const check = new ByteStreamCheck(seed)
  let next = everyBytes
  peer.onHeard((chunk) => {
    check.add(chunk)
    if (check.bytes < next) return
    next += everyBytes
    peer.socket.pause()
    setTimeout(() => peer.socket.resume(), 100)
  })
  return check
}

/** More than the sockets on the way to one client hold, who has never read. */
function floodBytes(): number {
  return transferSize(16 * MIB)
}

/** Answers `flood` with {@link floodBytes}, and anything else with itself. */
function answerByCommand(peer: StreamPeer): void {
  peer.onHeard((chunk) => {
    const isFlood = chunk.toString() === 'flood'
    peer.socket.write(isFlood ? new ByteStream(6).take(floodBytes()) : chunk)
  })
}
