import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { atEnd, type Cleanup } from './cleanup.ts'

/** A backend that resets every connection as soon as it has it. */
export class ResettingBackend {
  readonly #server: Server

  private constructor() {
    this.#server = createServer((socket) => {
      socket.on('error', () => {})
      socket.resetAndDestroy()
    })
  }

  /** Starts one that ends with the test, on a port of the kernel's choice. */
  static async start(t: Cleanup): Promise<ResettingBackend> {
    const backend = new ResettingBackend()
    backend.#server.listen(0, '127.0.0.1')
    await once(backend.#server, 'listening')
    atEnd(t, () => backend.#server.close())
    return backend
  }

  /** As the file writes it. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
}
