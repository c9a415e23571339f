import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { adminRequest } from '#src/admin/client.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

async function peer(t: TestContext, onConnection: (socket: Socket) => void): Promise<string> {
  const path = join(temporaryDirectory(t), 'admin.sock')
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    onConnection(socket)
  }).listen(path)
  await once(server, 'listening')
  atEnd(t, () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return path
}

const head = (length: number) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`

test('adminRequest() says what to do where there is no socket', async (t) => {
  const path = join(temporaryDirectory(t), 'admin.sock')
  await assert.rejects(adminRequest(path, 'GET', '/status'), {
    code: 'MCS_ADMIN_UNREACHABLE',
    message: /admin\.sock": there is no such socket; is mcs-lb running.*--socket/,
  })
})

test('adminRequest() says that an empty path, a folder or a regular file is no socket', async (t) => {
  const directory = temporaryDirectory(t)
  const file = join(directory, 'file')
  writeFileSync(file, '')
  for (const path of ['', directory, file])
    await assert.rejects(adminRequest(path, 'GET', '/status'), {
      code: 'MCS_ADMIN_UNREACHABLE',
      message: `Cannot ask mcs-lb on "${path}": it is no socket; give the admin.socket of mcs-lb by --socket, or its file by --config`,
    })
  await assert.rejects(adminRequest(join(file, 'admin.sock'), 'GET', '/status'), { message: /is no directory; give/ })
})

test('adminRequest() refuses a path that is too long for a socket', async () => {
  await assert.rejects(adminRequest(`/tmp/${'x'.repeat(108)}`, 'GET', '/status'), { message: /at most 107 bytes/ })
})

test('adminRequest() gives up on a peer that stays silent', async (t) => {
  const path = await peer(t, () => {})
  await assert.rejects(adminRequest(path, 'POST', '/reload', 50), {
    code: 'MCS_ADMIN_UNREACHABLE',
    message: /no answer within 0\.05 s/,
  })
})

test('adminRequest() gives up on a peer that stops in the middle of its answer', async (t) => {
  const path = await peer(t, (socket) => socket.once('data', () => socket.write(`${head(10)}{`)))
  await assert.rejects(adminRequest(path, 'POST', '/reload', 200), { code: 'MCS_ADMIN_UNREACHABLE' })
})

test('adminRequest() rejects an answer that is cut off, or absent', async (t) => {
  const cut = await peer(t, (socket) => socket.once('data', () => socket.end(`${head(10)}{}`)))
  await assert.rejects(adminRequest(cut, 'GET', '/status'), { code: 'MCS_ADMIN_UNREACHABLE' })
  const absent = await peer(t, (socket) => socket.once('data', () => socket.end()))
  await assert.rejects(adminRequest(absent, 'GET', '/status'), { code: 'MCS_ADMIN_UNREACHABLE' })
})

test('adminRequest() rejects an answer that is not JSON', async (t) => {
  const path = await peer(t, (socket) => socket.once('data', () => socket.end(`${head(5)}hello`)))
  await assert.rejects(adminRequest(path, 'GET', '/status'), { message: /what answered is not mcs-lb/ })
})
