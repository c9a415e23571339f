import { connect as connectSocket, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { SocketAddress } from '../model/address.ts'
import { failureOf, quoteBytes, StepFailure } from './reason.ts'

/** Bytes that are held unread at most; the socket is not read from beyond that. */
const RECEIVED_BYTES = 64 * 1024

const nothing: Buffer = Buffer.alloc(0)

/**
 * The connection of one check: what is sent and what is awaited, one step after the other. Every wait ends when the
 * connection fails or {@link fail} is called; it then throws a {@link StepFailure} that names the step.
 */
export class Channel {
  /** What the check is about to do; failures name it. */
  step = 'connect'
  #socket: Socket | null = null
  #received = nothing
  #isReading = false
  #isEnded = false
  #failure: StepFailure | null = null
  #wake: (() => void) | null = null

  /** Bytes that have come and were not taken yet. */
  get received(): Buffer {
    return this.#received
  }

  /** Resolves when the connection stands. It is made once. */
  async connect(address: SocketAddress): Promise<void> {
    if (this.#failure !== null) throw this.#failure
    let isConnected = false
    this.#socket = connectSocket({
      ...(address.family === 'unix' ? { path: address.path } : { host: address.host, port: address.port }),
      allowHalfOpen: true,
      noDelay: true,
    })
    this.#socket.on('error', (error) => this.fail(failureOf(this.step, error)))
    this.#socket.once('connect', () => {
      isConnected = true
      this.#notify()
    })
    await this.#until(() => isConnected)
    const { localAddress, localPort, remoteAddress, remotePort } = this.#socket
    if (address.family === 'unix' || localPort !== remotePort || localAddress !== remoteAddress) return
    // Nobody listens there, and the kernel gave the socket that very port: TCP has joined it to itself.
    this.#socket.resetAndDestroy()
    throw new StepFailure('connect', 'ECONNREFUSED')
  }

  /** Makes a TLS handshake on the connection; no byte may have come before it. */
  async startTls(options: ConnectionOptions): Promise<void> {
    this.step = 'tls'
    if (this.#received.length > 0)
      throw new StepFailure('tls', `plain ${quoteBytes(this.#received)} before the handshake`)
    const plain = this.#connected().removeAllListeners('data').removeAllListeners('end')
    this.#isReading = false
    const secure = connectTls({ ...options, socket: plain })
    this.#socket = secure
    let isSecure = false
    secure.on('error', (error) => this.fail(failureOf(this.step, error)))
    secure.once('close', () => this.#end())
    secure.once('secureConnect', () => {
      isSecure = true
      this.#notify()
    })
    await this.#until(() => isSecure || this.#isEnded)
    if (!isSecure) throw new StepFailure('tls', 'closed')
  }

  /** Resolves when the kernel has taken the bytes. */
  async send(bytes: Uint8Array | string): Promise<void> {
    let isSent = false
    this.#connected().write(bytes, (error) => {
      isSent = error === undefined || error === null
      this.#notify()
    })
    await this.#until(() => isSent)
  }

  /** Waits for another byte; false where the peer has ended, or has sent all that may be held. */
  async more(): Promise<boolean> {
    this.#read()
    const before = this.#received.length
    await this.#until(() => this.#received.length > before || this.#isEnded || before >= RECEIVED_BYTES)
    return this.#received.length > before
  }

  /** The next `count` bytes. */
  async take(count: number): Promise<Buffer> {
    while (this.#received.length < count) if (!(await this.more())) throw this.#tooShort()
    return this.skip(count)
  }

  /** Up to the next CRLF, and without it: at most `maxBytes`. What the check says of a longer one is `tooLong`. */
  async takeLine(maxBytes: number, tooLong = `a line of more than ${maxBytes} bytes`): Promise<Buffer> {
    let from = 0
    for (;;) {
      const at = this.#received.indexOf('\r\n', from)
      if (at > maxBytes || (at < 0 && this.#received.length > maxBytes + 1)) throw new StepFailure(this.step, tooLong)
      if (at >= 0) return this.skip(at + 2).subarray(0, at)
      from = Math.max(0, this.#received.length - 1)
      if (!(await this.more())) throw this.#tooShort()
    }
  }

  /** Takes bytes that are there. */
  skip(count: number): Buffer {
    const taken = this.#received.subarray(0, count)
    this.#received = this.#received.subarray(count)
    if (this.#socket?.isPaused() === true && this.#received.length < RECEIVED_BYTES) this.#socket.resume()
    return taken
  }

  /** Ends the wait of the check: it throws `failure`, unless what it waits for is there. */
  fail(failure: StepFailure): void {
    this.#failure ??= failure
    this.#notify()
  }

  /** Destroys the socket. */
  close(): void {
    this.#socket?.destroy()
  }

  #connected(): Socket {
    if (this.#socket === null) throw new Error('a channel is used before it is connected')
    return this.#socket
  }

  #read(): void {
    if (this.#isReading) return
    this.#isReading = true
    const socket = this.#connected()
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.once('end', () => this.#end())
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    if (this.#received.length >= RECEIVED_BYTES) this.#socket?.pause()
    this.#notify()
  }

  #end(): void {
    this.#isEnded = true
    this.#notify()
  }

  #tooShort(): StepFailure {
    if (!this.#isEnded) return new StepFailure(this.step, `an answer of more than ${RECEIVED_BYTES} bytes`)
    const got = this.#received.length > 0 ? ` after ${quoteBytes(this.#received)}` : ''
    return new StepFailure(this.step, `closed${got}`)
  }

  async #until(isDone: () => boolean): Promise<void> {
    // What has come counts, even where the connection has failed since.
    while (!isDone()) {
      if (this.#failure !== null) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}
