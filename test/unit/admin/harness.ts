import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { startAdmin } from '#src/admin/server.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { FakeService } from './fake-service.ts'

/** An admin server on a socket of its own; `errors` holds what it logged. */
export async function startTestAdmin(t: TestContext) {
  const socket = join(temporaryDirectory(t), 'admin.sock')
  const service = new FakeService()
  const errors: string[] = []
  const admin = await startAdmin({ socket, service, log: { error: (message) => errors.push(message) } })
  atEnd(t, () => admin.close())
  return { socket, service, errors, admin }
}

/** Sends raw bytes and resolves with everything that came back until the connection ended. */
export async function sendRaw(socketPath: string, bytes: string): Promise<string> {
  const socket = await openSocket(socketPath)
  socket.write(bytes)
  return readAll(socket)
}

/** A connected client socket; its errors are ignored. */
export async function openSocket(path: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true })
  await once(socket, 'connect')
  socket.on('error', () => {})
  return socket
}

/** Everything that arrives until the peer ends or resets the connection. */
export function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('end', () => socket.end())
    socket.on('close', () => resolve(text))
  })
}
