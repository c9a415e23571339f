import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { startDemoBackend } from '#src/lab/backends.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { waitUntil } from '../../helpers/wait-until.ts'
import { readAll } from '../admin/harness.ts'

async function open(port: number) {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

/** Waits until nothing of what `socket` has to send has moved for 20 looks in a row: the peer has stopped reading. */
async function untilStuck(socket: Socket): Promise<void> {
  let looks = 0
  let left = -1
  await waitUntil('the backend has stopped reading', () => {
    looks = socket.writableLength === left ? looks + 1 : 0
    left = socket.writableLength
    return left > 0 && looks >= 20
  })
}

test('startDemoBackend() greets, echoes lines that come in pieces, and ends after its client', async (t) => {
  const backend = await startDemoBackend('B7')
  atEnd(t, () => backend.stop())
  const socket = await open(backend.port)
  let seen = ''
  socket.on('data', (chunk) => {
    seen += chunk
  })
  const all = readAll(socket)
  socket.write('one\ntwo\nth')
  // With the answer to its first lines the backend has read the beginning of the third.
  await waitUntil('the second line is answered', () => seen.includes('B7: two\n'))
  socket.end('ree')
  assert.equal(await all, 'Hello from B7\nB7: one\nB7: two\nB7: three\n')
})

test('startDemoBackend() answers a line without end in pieces', async (t) => {
  const backend = await startDemoBackend('B7')
  atEnd(t, () => backend.stop())
  const socket = await open(backend.port)
  const all = readAll(socket)
  socket.end('x'.repeat(1024 * 1024))
  const text = await all
  assert.ok(text.split('\n').length > 3)
  assert.equal(text.replace(/[^x]/g, '').length, 1024 * 1024)
})

test('startDemoBackend() goes on once a client that took nothing reads again', async (t) => {
  const backend = await startDemoBackend('B7')
  atEnd(t, () => backend.stop())
  const socket = await open(backend.port)
  socket.pause()
  const lines = 48 * 1024
  socket.write(`${'x'.repeat(1023)}\n`.repeat(lines))
  await untilStuck(socket)
  const all = readAll(socket)
  socket.resume()
  socket.end()
  assert.equal((await all).length, 'Hello from B7\n'.length + lines * 1028)
})

test('stop() ends the connections that are open', async () => {
  const backend = await startDemoBackend('B7')
  const socket = await open(backend.port)
  const all = readAll(socket)
  await once(socket, 'data')
  await backend.stop()
  assert.equal(await all, 'Hello from B7\n')
})
