import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { atEnd, type Cleanup } from './cleanup.ts'

/** A backend that greets every connection with its name and a newline, then sends back what it gets. */
export class NamedBackend {
  /** What it greets with; one that is changed holds for later connections. */
  name: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Connections it ever took. */
  accepted = 0

  private constructor(name: string) {
    this.name = name
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket))
  }

  /** Starts one that ends with the test, on a port of the kernel's choice unless `port` is given. */
  static async start(t: Cleanup, name: string, port = 0): Promise<NamedBackend> {
    const backend = new NamedBackend(name)
    backend.#server.listen(port, '127.0.0.1')
    await once(backend.#server, 'listening')
    atEnd(t, () => backend.stop())
    return backend
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** As the file writes it. */
  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Connections it has open. */
  get open(): number {
    return this.#sockets.size
  }

  /** Stops listening; what is open goes on. */
  close(): void {
    this.#server.close()
  }

  /** Stops listening and resets what is open. */
  stop(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #serve(socket: Socket): void {
    this.accepted++
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    socket.write(`${this.name}\n`)
    socket.pipe(socket)
  }
}
