import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { atEnd } from './cleanup.ts'
import { patience } from './harsh.ts'
import { waitUntil } from './wait-until.ts'

const PATIENCE_MS = 10_000 * patience
/** A peer keeps this much of what it hears, for assertions on small talk. */
const KEPT_BYTES = 65_536

/** How a peer saw its connection end: by an error such as ECONNRESET, else by a FIN, or not yet. */
export type Ending = 'end' | 'open' | (string & {})

/** One end of a connection, a client's or a backend's, which reads unless it is paused and never ends by itself. */
export class StreamPeer {
  readonly socket: Socket
  #kept = Buffer.alloc(0)
  #ending: Ending = 'open'
  #onData: ((chunk: Buffer) => void) | undefined
  /** Bytes heard, and bytes that the kernel has taken of what was said. */
  heardBytes = 0
  saidBytes = 0

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#hear(chunk))
    socket.once('end', () => {
      if (this.#ending === 'open') this.#ending = 'end'
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      this.#ending = error.code ?? error.message
    })
  }

  /** Connects to an address as lb.yaml writes it, or fails at once. Its socket goes with the test. */
  static async connect(t: TestContext, address: string, from?: string): Promise<StreamPeer> {
    const peer = StreamPeer.dial(t, address, from)
    // A reset may be there before Node has looked whether the socket is connected.
    await peer.waitFor('the connection', () => !peer.socket.connecting)
    return peer
  }

  /** The same without waiting for the connection. */
  static dial(t: TestContext, address: string, from?: string): StreamPeer {
    const local = from === undefined ? {} : { localAddress: from }
    const socket = connect({ ...parseAddress(address), ...local, allowHalfOpen: true, noDelay: true })
    atEnd(t, () => socket.destroy())
    return new StreamPeer(socket)
  }

  /** Has `listener` told of every chunk that is heard from here on. */
  onHeard(listener: (chunk: Buffer) => void): void {
    this.#onData = listener
  }

  get ending(): Ending {
    return this.#ending
  }

  /** What was heard first, as text. */
  get heard(): string {
    return this.#kept.toString('latin1')
  }

  /** Resolves when the kernel has taken the bytes, or the socket is gone. */
  async say(bytes: Buffer | string): Promise<void> {
    const length = Buffer.byteLength(bytes)
    await new Promise<void>((resolve) => {
      this.socket.write(bytes, (error) => {
        if (error === null || error === undefined) this.saidBytes += length
        resolve()
      })
    })
  }

  /** Says that nothing more comes; goes on reading. */
  finish(): void {
    this.socket.end()
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  /** Waits until exactly `text` was heard. */
  async hears(text: string): Promise<void> {
    await this.waitFor(`hearing ${JSON.stringify(text)}`, () => this.heard.length >= text.length)
    if (this.heard !== text) throw new Error(`Heard ${JSON.stringify(this.heard)} instead of ${JSON.stringify(text)}`)
  }

  /** Waits until the stream that it reads has ended, and says how. */
  async ends(): Promise<Ending> {
    await waitUntil('the stream ends', () => this.#ending !== 'open', PATIENCE_MS)
    return this.#ending
  }

  /** Waits until its socket has failed, and says how. A side that has read a FIN learns of more only by writing. */
  async fails(): Promise<string> {
    await this.waitFor('a failure', () => {
      if (this.#ending === 'end') this.socket.write('x')
      return this.#ending !== 'open' && this.#ending !== 'end'
    })
    return this.#ending
  }

  async waitFor(what: string, condition: () => boolean): Promise<void> {
    const state = () => `${what}; ending: ${this.#ending}, heard ${this.heardBytes} bytes`
    await waitUntil(what, condition, PATIENCE_MS).catch((error: unknown) => {
      throw new Error(`Waited in vain: ${state()}`, { cause: error })
    })
  }

  #hear(chunk: Buffer): void {
    this.heardBytes += chunk.length
    if (this.#kept.length < KEPT_BYTES) {
      this.#kept = Buffer.concat([this.#kept, chunk.subarray(0, KEPT_BYTES - this.#kept.length)])
    }
    this.#onData?.(chunk)
  }
}

/** A backend made of real sockets, with every connection it was given. */
export class StreamBackend {
  /** As lb.yaml writes it. */
  readonly address: string
  readonly peers: StreamPeer[] = []
  readonly #server: Server

  private constructor(server: Server, address: string) {
    this.#server = server
    this.address = address
  }

  /** Listens at `at`, by default on a port of 127.0.0.1 that the kernel chooses, and hands each connection to `serve`. */
  static async start(
    t: TestContext,
    serve: (peer: StreamPeer) => void = () => {},
    at = '127.0.0.1:0',
  ): Promise<StreamBackend> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    server.listen(parseAddress(at))
    await once(server, 'listening')
    const bound = server.address()
    const address = typeof bound === 'string' ? at : at.replace(/:0$/, `:${bound!.port}`)
    const backend = new StreamBackend(server, address)
    server.on('connection', (socket) => {
      const peer = new StreamPeer(socket)
      backend.peers.push(peer)
      serve(peer)
    })
    atEnd(t, () => backend.stop())
    return backend
  }

  /** Its connections that are still open. */
  get open(): number {
    return this.peers.filter((peer) => !peer.socket.destroyed).length
  }

  /** Waits until the connection number `index` is there. */
  async peer(index = 0): Promise<StreamPeer> {
    await waitUntil(`connection ${index} at ${this.address}`, () => this.peers.length > index, PATIENCE_MS)
    return this.peers[index]!
  }

  /** Stops listening and destroys its connections. */
  stop(): void {
    this.#server.close()
    for (const peer of this.peers) peer.socket.destroy()
  }
}

/** A backend that says back what it hears, and ends when its client does. */
export function echo(peer: StreamPeer): void {
  peer.onHeard((chunk) => peer.socket.write(chunk))
  peer.socket.once('end', () => peer.finish())
}

function parseAddress(address: string): { path: string } | { host: string; port: number } {
  if (address.startsWith('unix:')) return { path: address.slice('unix:'.length) }
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
}
