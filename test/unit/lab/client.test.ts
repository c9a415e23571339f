import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { startDemoBackend } from '#src/lab/backends.js'
import { parseTarget } from '#src/lab/client.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { freePort } from '../../helpers/free-port.ts'
import { runProgram } from '../cli/run-program.ts'

test('parseTarget() reads names, IPv4, IPv6 and unix sockets, and nothing else', () => {
  assert.deepEqual(parseTarget('127.0.0.1:64400'), { host: '127.0.0.1', port: 64400 })
  assert.deepEqual(parseTarget('localhost:1'), { host: 'localhost', port: 1 })
  assert.deepEqual(parseTarget('[::1]:65535'), { host: '::1', port: 65535 })
  assert.deepEqual(parseTarget('unix:/run/x.sock'), { path: '/run/x.sock' })
  for (const text of [
    '',
    'localhost',
    'localhost:',
    ':1',
    '::1:80',
    'a:0',
    'a:65536',
    'a:-1',
    'a b:1',
    'unix:',
    '[]:1',
  ]) {
    assert.equal(parseTarget(text), null, text)
  }
})

test('mcs-lb client sends its input, ends the sending side and prints all that arrives', async (t) => {
  const backend = await startDemoBackend('B1')
  atEnd(t, () => backend.stop())
  const result = await runProgram(['client', `127.0.0.1:${backend.port}`], { input: 'hello\nbye\n' })
  assert.deepEqual(result, { code: 0, stdout: 'Hello from B1\nB1: hello\nB1: bye\n', stderr: '' })
})

test('mcs-lb client ends when its peer does, though its input goes on', async (t) => {
  const port = await listen(t, (socket) => socket.end('gone\n'))
  const { code, stdout } = await runProgram(['client', `127.0.0.1:${port}`], { input: null })
  assert.deepEqual([code, stdout], [0, 'gone\n'])
})

test('mcs-lb client exits 1 where nobody listens or the peer resets, and 2 for what is no address', async (t) => {
  const refused = await runProgram(['client', 'unix:/nonexistent/x.sock'])
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /^MCS_SYSTEM: Cannot talk to unix:\/nonexistent\/x\.sock: connect ENOENT /)
  // The name stands for addresses of both families, and the error for the failures of both.
  const closed = await freePort()
  const nobody = await runProgram(['client', `localhost:${closed}`])
  assert.match(nobody.stderr, new RegExp(`^MCS_SYSTEM: Cannot talk to localhost:${closed}: .*ECONNREFUSED`))
  const port = await listen(t, (socket) => socket.resetAndDestroy())
  assert.equal((await runProgram(['client', `127.0.0.1:${port}`])).code, 1)
  assert.equal((await runProgram(['client', 'nowhere'])).code, 2)
})

async function listen(t: TestContext, onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(t, () => server.close())
  return (server.address() as AddressInfo).port
}
