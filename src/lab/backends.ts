import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** Most connections of one demo backend. */
const connectionLimit = 1000

/** Longest line that is echoed in one piece, in characters; a longer one is answered in pieces. */
const lineLimit = 64 * 1024

/** A backend of the demo: greets with `Hello from B1` and answers each line with `B1: ` and the line. */
export interface DemoBackend {
  readonly name: string
  /** On 127.0.0.1, given by the kernel. */
  readonly port: number
  /** Ends every connection and resolves when all are gone. */
  stop(): Promise<void>
}

/** Starts a backend of the demo. Rejects with the system's error where it cannot listen. */
export async function startDemoBackend(name: string): Promise<DemoBackend> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    greetAndEcho(socket, name)
  })
  server.maxConnections = connectionLimit
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  return { name, port: (server.address() as AddressInfo).port, stop: () => stop(server, sockets) }
}

function greetAndEcho(socket: Socket, name: string): void {
  let rest = ''
  const say = (text: string) => {
    // What the client does not take is not read from it either.
    if (!socket.write(text)) socket.pause()
  }
  socket.setEncoding('utf8')
  socket.on('drain', () => socket.resume())
  // A client may reset its connection; the 'close' that follows is enough.
  socket.on('error', () => {})
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > lineLimit) {
      lines.push(rest)
      rest = ''
    }
    if (lines.length > 0) say(lines.map((line) => `${name}: ${line}\n`).join(''))
  })
  socket.on('end', () => socket.end(rest === '' ? '' : `${name}: ${rest}\n`))
  say(`Hello from ${name}\n`)
}

function stop(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    for (const socket of sockets) socket.destroySoon()
  })
}
