import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blackHole } from '../helpers/black-hole.ts'
import { ByteStream, ByteStreamCheck } from '../helpers/byte-stream.ts'
import { freePort } from '../helpers/free-port.ts'
import { patience, transferSize } from '../helpers/harsh.ts'
import { startRelay } from '../helpers/relay-setup.ts'
import { echo, StreamBackend } from '../helpers/stream-peer.ts'
import { waitUntil } from '../helpers/wait-until.ts'

const PROMPT_MS = 1500 * patience
const UNAVAILABLE = 'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'

test('17. With one attempt, a refusal ends the client though another backend would serve', async (t) => {
  const backend = await StreamBackend.start(t, echo)
  const servers = [await deadServer(), backend.address]
  const relay = await startRelay(t, { servers, upstream: 'connect: { attempts: 1 }' })
  assert.equal(await (await relay.connect()).ends(), 'ECONNRESET')
  const [line] = await relay.lb.accessLog(1)
  assert.deepEqual([line?.cause, line?.attemptCount, line?.backend], ['connect-failed', 1, null])
  assert.deepEqual(line?.attempts, [{ backend: servers[0], error: 'ECONNREFUSED' }])
  assert.equal(backend.peers.length, 0)
})

test('17. With two attempts, a refusal leads to the next backend', async (t) => {
  const backend = await StreamBackend.start(t, echo)
  const servers = [await deadServer(), backend.address]
  const relay = await startRelay(t, { servers, upstream: 'connect: { attempts: 2 }' })
  const client = await relay.connect()
  await client.say('hello')
  await client.hears('hello')
  client.finish()
  await client.ends()
  const [line] = await relay.lb.accessLog(1)
  assert.deepEqual([line?.cause, line?.attemptCount, line?.backend], ['client-closed', 2, backend.address])
  assert.deepEqual(line?.attempts, [
    { backend: servers[0], error: 'ECONNREFUSED' },
    { backend: backend.address, error: null },
  ])
})

test('17. A number of attempts is a limit on tries, and no backend is tried twice', async (t) => {
  const backend = await StreamBackend.start(t, echo)
  const servers = [await deadServer(), await deadServer(), backend.address]
  const short = await startRelay(t, { servers, upstream: 'connect: { attempts: 2 }' })
  assert.equal(await (await short.connect()).ends(), 'ECONNRESET')
  const [failed] = await short.lb.accessLog(1)
  assert.deepEqual([failed?.cause, failed?.attemptCount], ['connect-failed', 2])
  const long = await startRelay(t, { servers, upstream: 'connect: { attempts: 3 }' })
  const client = await long.connect()
  await client.say('hello')
  await client.hears('hello')
  const few = await startRelay(t, { servers: servers.slice(0, 2), upstream: 'connect: { attempts: 8 }' })
  assert.equal(await (await few.connect()).ends(), 'ECONNRESET')
  const [line] = await few.lb.accessLog(1)
  assert.equal(line?.attemptCount, 2)
})

test('17. A backend that does not answer within connect.timeout is an attempt, too', async (t) => {
  const backend = await StreamBackend.start(t, echo)
  const servers = [await blackHole(t), backend.address]
  const relay = await startRelay(t, { servers, upstream: 'connect: { timeout: 200ms, attempts: 2 }' })
  const client = await relay.connect()
  await client.say('hello')
  await client.hears('hello')
  client.finish()
  await client.ends()
  const [line] = await relay.lb.accessLog(1)
  assert.deepEqual(line?.attempts, [
    { backend: servers[0], error: 'ETIMEDOUT' },
    { backend: backend.address, error: null },
  ])
  assert.ok(Number(line?.connectMs) >= 199)
})

test('18. Bytes that the client sent before a retry, and its end, reach the backend that serves', async (t) => {
  const bytes = transferSize(1 << 20)
  const check = new ByteStreamCheck(18)
  const backend = await StreamBackend.start(t, (peer) => {
    peer.onHeard((chunk) => check.add(chunk))
    peer.socket.once('end', () => peer.socket.end('thank you'))
  })
  const relay = await startRelay(t, {
    servers: [await blackHole(t), await deadServer(), backend.address],
    upstream: 'connect: { timeout: 300ms, attempts: 3 }',
  })
  const client = await relay.connect()
  client.socket.end(new ByteStream(18).take(bytes))
  assert.equal(await client.ends(), 'end')
  assert.equal(client.heard, 'thank you')
  assert.deepEqual([check.bytes, check.wrongAt], [bytes, undefined])
  const [line] = await relay.lb.accessLog(1)
  assert.deepEqual([line?.attemptCount, line?.bytesUp], [3, bytes])
})

test('18. Bytes that arrive in several packets while backends are tried keep their order', async (t) => {
  const backend = await StreamBackend.start(t, echo)
  const relay = await startRelay(t, {
    servers: [await blackHole(t), backend.address],
    upstream: 'connect: { timeout: 300ms, attempts: 2 }',
  })
  const client = await relay.connect()
  for (const word of ['one ', 'two ', 'three ']) await client.say(word)
  await client.hears('one two three ')
  await client.say('four')
  await client.hears('one two three four')
})

test('22. The only backend goes away: its client sees a clean end, and the next one is turned away', async (t) => {
  const relay = await startRelay(t, { serve: echo, listener: 'onUnavailable: http-503' })
  const client = await relay.connect()
  await client.say('hello')
  await client.hears('hello')
  relay.backend.stop()
  assert.equal(await client.ends(), 'end')
  client.finish()
  const next = await relay.connect()
  assert.equal(await next.ends(), 'end')
  assert.equal(next.heard, UNAVAILABLE)
})

for (const { action, ending, text } of [
  { action: 'reset', ending: 'ECONNRESET', text: '' },
  { action: 'close', ending: 'end', text: '' },
  { action: 'http-503', ending: 'end', text: UNAVAILABLE },
]) {
  test(`22. All backends refuse: with onUnavailable ${action} a silent client ends promptly`, async (t) => {
    const servers = [await deadServer(), await deadServer(), await deadServer()]
    const relay = await startRelay(t, { servers, listener: `onUnavailable: ${action}` })
    const client = await relay.connect()
    assert.equal(await client.ends(), ending)
    assert.equal(client.heard, text)
    client.finish()
    const [line] = await relay.lb.accessLog(1)
    assert.deepEqual([line?.cause, line?.error, line?.attemptCount], ['connect-failed', 'ECONNREFUSED', 3])
    assert.ok(Number(line?.totalMs) < PROMPT_MS, `it took ${line?.totalMs} ms`)
  })
}

for (const { action, text } of [
  { action: 'close', text: '' },
  { action: 'http-503', text: UNAVAILABLE },
]) {
  test(`22. All backends refuse: with onUnavailable ${action} a client that had spoken is not reset`, async (t) => {
    const relay = await startRelay(t, { servers: [await deadServer()], listener: `onUnavailable: ${action}` })
    const client = await relay.connect()
    await client.say('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n')
    assert.equal(await client.ends(), 'end')
    assert.equal(client.heard, text)
    await client.say('and a word more')
    client.finish()
    await waitUntil('it is closed', () => client.socket.closed, 5000 * patience)
    assert.equal(client.ending, 'end')
  })

  test(`22. All backends refuse: with onUnavailable ${action} a client that never ends is let go`, async (t) => {
    const relay = await startRelay(t, { servers: [await deadServer()], listener: `onUnavailable: ${action}` })
    const client = await relay.connect()
    assert.equal(await client.ends(), 'end')
    const isLetGo = async () => (await relay.lb.status()).connections.active === 0
    await waitUntil('it is let go', isLetGo, 8000 * patience)
    const [line] = await relay.lb.accessLog(1)
    assert.equal(line?.cause, 'connect-failed')
  })
}

/** An address of 127.0.0.1 at which connections are refused. */
async function deadServer(): Promise<string> {
  return `127.0.0.1:${await freePort()}`
}
