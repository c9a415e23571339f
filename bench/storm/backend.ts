import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { atEnd, type Cleanup } from '../../test/helpers/cleanup.ts'
import type { Streams } from './streams.ts'

/** What a client asks for with its first bytes: its stream's number in 8 characters, or this for an echo. */
export const ECHO = 'echo....'

/**
 * Starts a backend that greets with `name` and a newline, and then is the far end of a stream, or sends back what it
 * gets. Resolves with its address.
 */
export async function startStormBackend(t: Cleanup, name: string, streams: Streams): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    socket.write(`${name}\n`)
    serve(socket, streams)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(t, () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

function serve(socket: Socket, streams: Streams): void {
  let head = Buffer.alloc(0)
  const onData = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk])
    if (head.length < ECHO.length) return
    socket.off('data', onData)
    const wish = head.toString('latin1', 0, ECHO.length)
    const rest = head.subarray(ECHO.length)
    if (wish === ECHO) {
      socket.write(rest)
      socket.pipe(socket)
    } else streams.serve(Number(wish), socket, rest)
  }
  socket.on('data', onData)
}
