import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { atEnd, type Cleanup } from './cleanup.ts'
import { within } from './within.ts'

const ANSWER_TIMEOUT_MS = 10_000

/** A client of a {@link NamedBackend} behind the load balancer, once it was greeted. */
export class GreetedClient {
  /** The name of the backend that greeted it. */
  readonly backend: string
  readonly socket: Socket
  readonly #ended: Promise<string>

  private constructor(socket: Socket, backend: string) {
    this.socket = socket
    this.backend = backend
    this.#ended = new Promise((resolve) => {
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      socket.once('end', () => resolve('end'))
      socket.once('close', () => resolve('close'))
    })
    socket.resume()
  }

  /**
   * Connects and waits for the greeting. Rejects with the error of the socket, or with `ended` where the end of the
   * stream came instead.
   */
  static async open(t: Cleanup, port: number, host = '127.0.0.1'): Promise<GreetedClient> {
    return await GreetedClient.greet(t, connect(port, host))
  }

  /** The same for a socket that connects already. */
  static async greet(t: Cleanup, socket: Socket): Promise<GreetedClient> {
    atEnd(t, () => socket.destroy())
    return new GreetedClient(socket, (await readLine(socket)).trimEnd())
  }

  /**
   * How the connection ended, once it has: the error's code, or `end` where the other side ended it cleanly. Rejects
   * where it lives for long.
   */
  get ended(): Promise<string> {
    return within(ANSWER_TIMEOUT_MS, 'the connection ends', this.#ended)
  }

  /** Whether both directions work: sends a text and reads it back. */
  async echoes(text = 'to and fro'): Promise<boolean> {
    this.socket.write(`${text}\n`)
    return (await readLine(this.socket)) === `${text}\n`
  }

  /** Ends the connection in order, from this side, and waits until it is gone. */
  async end(): Promise<void> {
    if (this.socket.closed) return
    this.socket.end()
    await once(this.socket, 'close')
  }
}

/** Opens `count` clients one after the other, so that the order of their backends is that of the balancer. */
export async function openClients(
  t: Cleanup,
  port: number,
  count: number,
  host = '127.0.0.1',
): Promise<GreetedClient[]> {
  const clients: GreetedClient[] = []
  for (let i = 0; i < count; i++) clients.push(await GreetedClient.open(t, port, host))
  return clients
}

/** Ends all of them and waits until they are gone. */
export async function endClients(clients: readonly GreetedClient[]): Promise<void> {
  await Promise.all(clients.map((client) => client.end()))
}

/** How many clients each backend has, by its name. */
export function countByBackend(clients: readonly GreetedClient[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { backend } of clients) counts[backend] = (counts[backend] ?? 0) + 1
  return counts
}

/** What connecting comes to: the greeting, or the code of the error. */
export async function tryGreeting(t: Cleanup, port: number, host = '127.0.0.1'): Promise<string> {
  try {
    const client = await GreetedClient.open(t, port, host)
    await client.end()
    return client.backend
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? (error as Error).message
  }
}

function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const timer = setTimeout(() => settle(() => reject(new Error('timed out'))), ANSWER_TIMEOUT_MS)
    const settle = (action: () => void) => {
      clearTimeout(timer)
      socket.off('data', onData).off('error', onError).off('end', onEnd).off('close', onEnd)
      action()
    }
    const onData = (chunk: Buffer) => {
      text += chunk.toString()
      if (text.endsWith('\n')) settle(() => resolve(text))
    }
    const onError = (error: Error) => settle(() => reject(error))
    const onEnd = () => settle(() => reject(new Error('ended')))
    if (socket.destroyed) onEnd()
    else socket.on('data', onData).on('error', onError).on('end', onEnd).on('close', onEnd)
  })
}
