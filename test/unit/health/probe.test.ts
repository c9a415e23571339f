import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import test from 'node:test'
import { checkedAddress, probe } from '#src/health/probe.js'
import type { HealthConfig } from '#src/model/config.js'
import { blackHole } from '../../helpers/black-hole.ts'
import { freePort } from '../../helpers/free-port.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { waitUntil } from '../../helpers/wait-until.ts'
import { loopback, makeHealth, startBackend, told } from './fixture.ts'

function sendExpect(steps: readonly (readonly ['send' | 'expect', string])[], changes: Partial<HealthConfig> = {}) {
  const bytes = steps.map(([kind, text]) =>
    kind === 'send' ? { send: Buffer.from(text, 'latin1') } : { expect: Buffer.from(text, 'latin1') },
  )
  return makeHealth({ type: 'send-expect', steps: bytes, ...changes })
}

test('probe() of tcp is good where a connection is made, over IPv4, IPv6 and a unix socket', async (t) => {
  const path = join(temporaryDirectory(t), 'socket')
  for (const listen of [{ port: 0, host: '127.0.0.1' }, { port: 0, host: '::1' }, { path }]) {
    const address = await startBackend(t, () => {}, listen)
    const result = await probe(address, makeHealth())
    assert.equal(told(result), 'ok')
    assert.ok(result.durationMs > 0 && result.durationMs < 5000)
  }
})

test('probe() closes its connection, good or bad', async (t) => {
  const sockets: Socket[] = []
  const address = await startBackend(t, (socket) => {
    sockets.push(socket.resume())
  })
  await probe(address, makeHealth())
  await probe(address, sendExpect([['expect', 'x']], { timeoutMs: 20 }))
  await waitUntil('both are closed', () => sockets.length === 2 && sockets.every(({ readableEnded }) => readableEnded))
})

test('probe() says that a connection was refused', async () => {
  assert.equal(told(await probe(loopback(await freePort()), makeHealth())), 'connect: connection refused')
})

test('probe() says that a unix socket is not there', async (t) => {
  const path = join(temporaryDirectory(t), 'missing')
  assert.equal(told(await probe({ family: 'unix', path }, makeHealth())), 'connect: no such socket')
})

test('probe() has one deadline, which also ends connecting', async (t) => {
  const port = Number((await blackHole(t)).split(':')[1])
  const result = await probe(loopback(port), makeHealth({ timeoutMs: 60 }))
  assert.equal(told(result), 'connect: no answer within 60 ms')
})

test('probe() that is aborted ends at once', async (t) => {
  const address = await startBackend(t, () => {})
  const abort = new AbortController()
  const result = probe(address, sendExpect([['expect', 'x']]), abort.signal)
  abort.abort()
  assert.match(told(await result), /: called off$/)
  assert.equal(told(await probe(address, makeHealth(), abort.signal)), 'connect: called off')
})

test('probe() does not fail a check because its own thread was busy for longer than the timeout', async (t) => {
  const address = await startBackend(t, (socket) => socket.on('data', () => socket.write('ok')))
  const config = sendExpect(
    [
      ['send', 'a'],
      ['expect', 'ok'],
      ['send', 'b'],
      ['expect', 'ok'],
    ],
    { timeoutMs: 250 },
  )
  const result = probe(address, config)
  // The backend lives in this thread too: it answers when the thread is free again, as the check's deadline has passed.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)
  assert.equal(told(await result), 'ok')
})

test('probe() of send-expect takes its steps in order', async (t) => {
  const address = await startBackend(t, (socket) => {
    socket.write('hello\r\n')
    socket.on('data', (chunk) => socket.write(`you said ${chunk}`))
  })
  const config = sendExpect([
    ['expect', 'hello\r\n'],
    ['send', 'abc'],
    ['expect', 'you said abc'],
  ])
  assert.equal(told(await probe(address, config)), 'ok')
})

test('probe() of send-expect names the step, and what came in place of what was expected', async (t) => {
  const address = await startBackend(t, (socket) => {
    socket.on('data', () => socket.write('-LOADING "\x00\xff"\r\n', 'latin1'))
  })
  const result = await probe(
    address,
    sendExpect([
      ['send', 'PING\r\n'],
      ['expect', '+PONG\r\n'],
    ]),
  )
  assert.equal(told(result), String.raw`expect 2: expected "+PONG\r\n", got "-LOADING \"\x00\xff\"\r\n"`)
})

test('probe() of send-expect waits for enough bytes, and times out at that step', async (t) => {
  const address = await startBackend(t, (socket) => socket.write('+PO'))
  const result = await probe(address, sendExpect([['expect', '+PONG']], { timeoutMs: 250 }))
  assert.equal(told(result), 'expect 1: no answer within 250 ms, got "+PO"')
})

test('probe() of send-expect understands bytes that come one by one', async (t) => {
  const address = await startBackend(t, async (socket) => {
    socket.setNoDelay()
    for (const letter of '+PONG') await new Promise((resolve) => socket.write(letter, resolve))
  })
  assert.equal(
    told(
      await probe(
        address,
        sendExpect([
          ['expect', '+PO'],
          ['expect', 'NG'],
        ]),
      ),
    ),
    'ok',
  )
})

test('probe() of send-expect says that the backend closed', async (t) => {
  const address = await startBackend(t, (socket) => socket.end('+PO'))
  const result = await probe(address, sendExpect([['expect', '+PONG']]))
  assert.equal(told(result), 'expect 1: expected "+PONG", closed after "+PO"')
})

test('probe() of send-expect says that the backend reset the connection', async (t) => {
  const address = await startBackend(t, (socket) => socket.once('data', () => socket.resetAndDestroy()))
  const result = await probe(
    address,
    sendExpect([
      ['send', 'a'],
      ['expect', 'b'],
    ]),
  )
  assert.equal(told(result), 'expect 2: connection reset')
})

test('probe() sends a PROXY header that says LOCAL before anything else', async (t) => {
  const heard: Buffer[] = []
  const address = await startBackend(t, (socket) => {
    socket.on('data', (chunk: Buffer) => heard.push(chunk))
    socket.on('end', () => heard.push(Buffer.from('|')))
  })
  for (const proxyProtocol of ['v1', 'v2'] as const) {
    assert.equal(told(await probe(address, sendExpect([['send', 'hi']], { proxyProtocol }))), 'ok')
    assert.equal(told(await probe(address, makeHealth({ proxyProtocol }))), 'ok')
  }
  await waitUntil('all four were heard', () => Buffer.concat(heard).toString('latin1').split('|').length === 5)
  const v2 = '\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00'
  assert.equal(Buffer.concat(heard).toString('latin1'), `PROXY UNKNOWN\r\nhi|PROXY UNKNOWN\r\n|${v2}hi|${v2}|`)
})

test('checkedAddress() takes the configured host and port in place of the backend’s own', () => {
  const own = loopback(80)
  assert.deepEqual(checkedAddress(own, makeHealth()), own)
  assert.deepEqual(checkedAddress(own, makeHealth({ port: 81 })), loopback(81))
  const elsewhere = makeHealth({ host: '::1', port: 81 })
  assert.deepEqual(checkedAddress(own, makeHealth({ host: '::1' })), { family: 'ipv6', host: '::1', port: 80 })
  assert.deepEqual(checkedAddress({ family: 'unix', path: '/a' }, elsewhere), { family: 'ipv6', host: '::1', port: 81 })
  assert.deepEqual(checkedAddress({ family: 'unix', path: '/a' }, makeHealth({ port: 81 })), {
    family: 'unix',
    path: '/a',
  })
})
