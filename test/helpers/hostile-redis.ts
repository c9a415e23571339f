import { createServer, type Server, type Socket } from 'node:net'
import { atEnd, type Cleanup } from './cleanup.ts'
import { freeListenerPort } from './free-listener-port.ts'

/** What to send for a command, whose words are given; undefined for silence. */
export type Answer = (words: readonly string[]) => string | undefined

/** Bulk strings, integers, nulls and arrays in RESP2. */
export function resp(value: string | number | null | readonly unknown[]): string {
  if (value === null) return '$-1\r\n'
  if (typeof value === 'number') return `:${value}\r\n`
  if (typeof value === 'string') return `$${Buffer.byteLength(value)}\r\n${value}\r\n`
  return `*${value.length}\r\n${value.map((one) => resp(one as Parameters<typeof resp>[0])).join('')}`
}

/** A server that reads commands as Redis does, and answers whatever the test wants. */
export class HostileRedis {
  readonly port: number
  /** Connections that were taken so far. */
  connections = 0
  /** Names of the commands that came, in lower case. */
  readonly commands: string[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(t: Cleanup, port: number, answer: Answer) {
    this.port = port
    this.#server = createServer((socket) => this.#serve(socket, answer))
    atEnd(t, async () => {
      for (const socket of this.#sockets) socket.destroy()
      await new Promise((resolve) => this.#server.close(resolve))
    })
  }

  static async start(t: Cleanup, answer: Answer): Promise<HostileRedis> {
    const redis = new HostileRedis(t, await freeListenerPort(), answer)
    await new Promise<void>((resolve) => redis.#server.listen(redis.port, '127.0.0.1', resolve))
    return redis
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  #serve(socket: Socket, answer: Answer): void {
    this.connections++
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    let pending = ''
    socket.setEncoding('latin1').on('data', (text: string) => {
      pending += text
      for (;;) {
        const command = takeCommand(pending)
        if (command === undefined) return
        pending = pending.slice(command.length)
        this.commands.push(command.words[0]?.toLowerCase() ?? '')
        const said = answer(command.words)
        if (said !== undefined && socket.writable) socket.write(said, 'latin1')
      }
    })
  }
}

/** The first whole command of a text, and how long it is. */
function takeCommand(text: string): { words: string[]; length: number } | undefined {
  let at = 0
  const line = (): string | undefined => {
    const end = text.indexOf('\r\n', at)
    if (end < 0) return undefined
    const found = text.slice(at, end)
    at = end + 2
    return found
  }
  const head = line()
  if (head === undefined) return undefined
  const words: string[] = []
  for (let index = 0; index < Number(head.slice(1)); index++) {
    const size = line()
    if (size === undefined) return undefined
    const end = at + Number(size.slice(1))
    if (text.length < end + 2) return undefined
    words.push(text.slice(at, end))
    at = end + 2
  }
  return { words, length: at }
}
