import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { startDemoBackend } from '#src/lab/backends.js'
import { readAll } from '../admin/harness.ts'

async function open(port: number) {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

test('startDemoBackend() greets, echoes lines that come in pieces, and ends after its client', async (t) => {
  const backend = await startDemoBackend('B7')
  t.after(() => backend.stop())
  const socket = await open(backend.port)
  const all = readAll(socket)
  socket.write('on')
  socket.write('e\ntwo\nth')
  socket.end('ree')
  assert.equal(await all, 'Hello from B7\nB7: one\nB7: two\nB7: three\n')
})

test('startDemoBackend() answers a line without end in pieces', async (t) => {
  const backend = await startDemoBackend('B7')
  t.after(() => backend.stop())
  const socket = await open(backend.port)
  const all = readAll(socket)
  socket.end('x'.repeat(1024 * 1024))
  const text = await all
  assert.ok(text.split('\n').length > 3)
  assert.equal(text.replace(/[^x]/g, '').length, 1024 * 1024)
})

test('startDemoBackend() goes on once a client that took nothing reads again', async (t) => {
  const backend = await startDemoBackend('B7')
  t.after(() => backend.stop())
  const socket = await open(backend.port)
  socket.pause()
  const lines = 8 * 1024
  socket.write(`${'x'.repeat(1023)}\n`.repeat(lines))
  // Not all of it can lie in the kernel's buffers, so the backend has to have stopped.
  await once(socket, 'readable')
  assert.ok(socket.writableLength > 0)
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
