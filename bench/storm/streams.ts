import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { atEnd, type Cleanup } from '../../test/helpers/cleanup.ts'
import { ECHO } from './backend.ts'
import { PatternCheck, PatternSource } from './pattern.ts'

const TICK_MS = 100
const CHUNK_BYTES = 2048

/** One end of a stream: what it sends and what it has got. */
class StreamEnd {
  readonly sent = { bytes: 0 }
  readonly got: PatternCheck
  /** How it ended: `end`, or the code of an error. */
  readonly ended: Promise<string>
  readonly #socket: Socket
  readonly #source: PatternSource

  constructor(socket: Socket, sendSeed: number, getSeed: number) {
    this.#socket = socket
    this.#source = new PatternSource(sendSeed)
    this.got = new PatternCheck(getSeed)
    socket.on('data', (chunk: Buffer) => this.got.take(chunk))
    socket.resume()
    this.ended = new Promise((resolve) => {
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      socket.once('end', () => resolve('end'))
      socket.once('close', () => resolve('closed'))
    })
  }

  send(): void {
    if (!this.#socket.writable) return
    this.#socket.write(this.#source.next(CHUNK_BYTES))
    this.sent.bytes += CHUNK_BYTES
  }

  finish(): void {
    this.#socket.end()
  }
}

export interface StreamResults {
  readonly count: number
  readonly refused: number
  readonly reset: number
  /** Ended in order, but with fewer bytes than were sent, in either direction. */
  readonly truncated: number
  readonly mismatched: number
  readonly bytes: number
}

/** Long streams through the load balancer, both ways at once, at a rate that has them last as long as they are let. */
export class Streams {
  readonly #clients: (StreamEnd | undefined)[] = []
  readonly #servers: (StreamEnd | undefined)[] = []
  readonly #ticker: NodeJS.Timeout
  readonly #t: Cleanup
  #refused = 0

  constructor(t: Cleanup) {
    this.#t = t
    this.#ticker = setInterval(() => this.#sendAll(), TICK_MS)
    atEnd(t, () => clearInterval(this.#ticker))
  }

  /** Opens the next stream to `port` of 127.0.0.1, and waits for the greeting of its backend. */
  async open(port: number): Promise<void> {
    const number = this.#clients.push(undefined) - 1
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    atEnd(this.#t, () => socket.destroy())
    try {
      await once(socket, 'connect')
    } catch {
      this.#refused++
      return
    }
    await skipGreeting(socket)
    socket.write(String(number).padStart(ECHO.length, '0'))
    this.#clients[number] = new StreamEnd(socket, number, number + 1)
  }

  /** The far end of stream `number`, whose first bytes are `head`. */
  serve(number: number, socket: Socket, head: Buffer): void {
    const end = new StreamEnd(socket, number + 1, number)
    end.got.take(head)
    this.#servers[number] = end
    void end.ended.then(() => end.finish())
  }

  /** Has every client end its stream, waits until all are over, and returns what became of them. */
  async finish(): Promise<StreamResults> {
    clearInterval(this.#ticker)
    const results = {
      count: this.#clients.length,
      refused: this.#refused,
      reset: 0,
      truncated: 0,
      mismatched: 0,
      bytes: 0,
    }
    for (const client of this.#clients) client?.finish()
    for (const [number, client] of this.#clients.entries()) {
      if (client === undefined) continue
      const server = this.#servers[number]
      const ends = [await client.ended, await server?.ended]
      if (ends.some((end) => end !== 'end')) results.reset++
      else if (client.got.bytes !== server!.sent.bytes || server!.got.bytes !== client.sent.bytes) results.truncated++
      if (!client.got.isIntact || server?.got.isIntact === false) results.mismatched++
      results.bytes += client.got.bytes + (server?.got.bytes ?? 0)
    }
    return results
  }

  #sendAll(): void {
    for (const end of this.#clients) end?.send()
    for (const end of this.#servers) end?.send()
  }
}

/** Reads up to the newline; what follows is put back. */
function skipGreeting(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const onData = (chunk: Buffer) => {
      const newline = chunk.indexOf('\n')
      if (newline < 0) return
      socket.off('data', onData).pause()
      if (newline + 1 < chunk.length) socket.unshift(chunk.subarray(newline + 1))
      resolve()
    }
    socket.on('data', onData)
    socket.once('close', () => resolve())
  })
}
