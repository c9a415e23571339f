import { EPOLLIN } from '#src/kernel/constants.js'
import { SimFile } from './sim-file.ts'
import type { SimSocket } from './sim-socket.ts'
import type { Timed } from './timeline.ts'

/** A listening socket and the connections that wait to be accepted, at most its backlog. */
export class SimListener extends SimFile {
  readonly label: string
  readonly backlog: number
  /** TCP port, as clients know it. */
  readonly port: number
  readonly waiting: SimSocket[] = []

  constructor(label: string, port: number, backlog: number) {
    super()
    this.label = label
    this.port = port
    this.backlog = backlog
  }

  poll(): number {
    return this.waiting.length > 0 ? EPOLLIN : 0
  }

  /** A handshake is complete. False when the backlog is full and the client has to try again. */
  offer(socket: SimSocket): boolean {
    if (this.fd < 0 || this.waiting.length >= this.backlog) return false
    this.waiting.push(socket)
    this.wake(EPOLLIN)
    return true
  }
}

/** An eventfd(2). */
export class SimEvent extends SimFile implements Timed {
  readonly label = 'eventfd'
  count = 0

  poll(): number {
    return this.count > 0 ? EPOLLIN : 0
  }

  /** Another thread writes to it. */
  fire(): void {
    this.count++
    this.wake(EPOLLIN)
  }
}
