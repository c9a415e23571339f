import { connect as connectTcp, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { AbstractConnector, type RedisOptions } from 'ioredis'
import type { HostPort } from '../model/config.ts'
import { RedisGuard } from './redis-guard.ts'
import type { ServerTrust } from './server-trust.ts'

type Connector = NonNullable<RedisOptions['Connector']>

export interface GuardedConnectorOptions {
  /** Undefined for plain TCP. */
  readonly trust: ServerTrust | undefined
  /** Longest time for TCP and TLS together. */
  readonly connectTimeoutMs: number
  /** Told why a connection could not be made, or was given up for what the server sent: `isRefusal`. */
  readonly onFailure: (error: Error, isRefusal: boolean) => void
  /** Finds the server anew for each connection; without it, host and port stand in the client's options. */
  readonly locate?: (signal: AbortSignal) => Promise<HostPort>
}

/** How long a connection that was ended may take to close. */
const endTimeoutMs = 2_000
const keepAliveMs = 10_000

/**
 * How the client library gets its connections, each behind a {@link RedisGuard}: those that it makes by itself, to ask
 * a cluster's nodes for slots, go through here as well. A connection that fails is handed over closed, as a rejection
 * would make the library give up for ever.
 */
export function guardedConnector(options: GuardedConnectorOptions): Connector {
  return class extends AbstractConnector {
    readonly #node: HostPort
    #attempt = new AbortController()

    constructor(clientOptions: unknown) {
      super(endTimeoutMs)
      this.#node = clientOptions as HostPort
    }

    /** Asked where Sentinel was: a server that was the master may be a replica by now. */
    override check(info: unknown): boolean {
      const role = typeof info === 'object' && info !== null && 'role' in info ? info.role : undefined
      return role === undefined || role === 'master'
    }

    override disconnect(): void {
      this.#attempt.abort()
      super.disconnect()
    }

    async connect(): Promise<Socket> {
      this.#attempt = new AbortController()
      const stream = new GuardedStream(
        await this.#open(this.#attempt.signal),
        (error) => options.onFailure(error, true),
        options.trust === undefined,
      )
      // The library uses what a socket shares with every stream, and the few methods that the class has beside.
      this.stream = stream as unknown as Socket
      return this.stream
    }

    async #open(signal: AbortSignal): Promise<Socket | undefined> {
      try {
        const { host, port } = (await options.locate?.(signal)) ?? this.#node
        return await open({ host, port }, options, signal)
      } catch (error) {
        this.firstError = error instanceof Error ? error : new Error(String(error))
        options.onFailure(this.firstError, false)
        return undefined
      }
    }
  }
}

/** Resolves when TCP, and TLS where it is wanted, are there. */
function open(node: HostPort, options: GuardedConnectorOptions, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const { trust, connectTimeoutMs } = options
    const socket = trust === undefined ? connectTcp({ ...node }) : connectTls({ ...trust.options(), ...node })
    const fail = (error: Error) => {
      clearTimeout(timer)
      socket.destroy()
      reject(trust?.explain(error) ?? error)
    }
    const giveUp = () => fail(new Error('the connection was given up'))
    const isSilent = () => trust !== undefined && !socket.connecting
    const timer = setTimeout(() => {
      const what = isSilent() ? 'answer to TLS' : 'connection'
      const remedy = isSilent() ? '; where that port speaks no TLS, write redis:// in the URL' : ''
      fail(new Error(`no ${what} within ${connectTimeoutMs} ms${remedy}`))
    }, connectTimeoutMs)
    signal.addEventListener('abort', giveUp, { once: true })
    // It stays, for errors that come after the promise is settled have nobody else at first.
    socket.on('error', fail)
    socket.once(trust === undefined ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      socket.setNoDelay(true).setKeepAlive(true, keepAliveMs)
      resolve(socket)
    })
  })
}

/** A socket whose incoming bytes the guard sees first; one without a socket is closed already. */
class GuardedStream extends Duplex {
  readonly #socket: Socket | undefined
  readonly #guard = new RedisGuard()

  constructor(socket: Socket | undefined, onRefusal: (error: Error) => void, isPlain: boolean) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    // The library listens for one error, and not at once.
    this.on('error', () => {})
    if (socket === undefined || socket.destroyed) {
      this.destroy()
      return
    }
    socket.on('error', (error) => this.destroy(isPlain && socket.bytesRead === 0 ? perhapsTls(error) : error))
    socket.on('close', () => this.destroy())
    socket.on('end', () => this.push(null))
    socket.on('data', (chunk: Buffer) => {
      try {
        this.#guard.received(chunk, performance.now())
      } catch (error) {
        onRefusal(error as Error)
        this.destroy(error as Error)
        return
      }
      if (!this.push(chunk)) socket.pause()
    })
    // What comes first may be why a server takes no connection; it waits for its reader.
    socket.pause()
  }

  override _read(): void {
    this.#socket?.resume()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#guard.sent(chunk)
    this.#socket?.write(chunk, done)
  }

  override _final(done: () => void): void {
    this.#socket?.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket?.destroy()
    done(error)
  }

  /** Is set already: the library asks for it once more. */
  setNoDelay(): this {
    return this
  }

  /** Is set already. */
  setKeepAlive(): this {
    return this
  }
}

/** A server that wants TLS ends a connection at the first command, without a word. */
function perhapsTls(error: NodeJS.ErrnoException): Error {
  if (error.code !== 'ECONNRESET') return error
  return new Error(`${error.message}; where that port speaks TLS, write rediss:// in the URL`, { cause: error })
}
