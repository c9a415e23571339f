import { MSG_MORE, SHUT_WR } from '../kernel/constants.ts'
import { Errno } from '../kernel/errno.ts'
import { CauseCode } from '../model/cause.ts'
import { ListenerCounter } from '../shared/worker-counters.ts'
import type { Closer } from './closer.ts'
import type { Core } from './core.ts'
import { isOwnWant } from './dial-errors.ts'
import { Phase } from './slots.ts'

const { EAGAIN, EINTR, ETIMEDOUT } = Errno

const UNAVAILABLE = 'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'

/** Turns a client away for whom no backend can be reached, in the way its listener asks for. */
export class Refuser {
  readonly #core: Core
  readonly #closer: Closer
  readonly #unavailable = Buffer.from(UNAVAILABLE)
  readonly #unavailableAt: number

  constructor(core: Core, closer: Closer) {
    this.#core = core
    this.#closer = closer
    this.#unavailableAt = core.kernel.addressOf(this.#unavailable)
  }

  refuse(connection: number): void {
    const core = this.#core
    const { slots, kernel } = core
    const errno = slots.attempts[connection] === 0 ? 0 : slots.errno[connection]!
    const cause = this.#causeOf(connection, errno)
    const listener = core.listenerOf(connection)
    core.counters.addListener(listener.row, ListenerCounter.turnedAway, 1)
    if (listener.onUnavailable === 'reset') {
      this.#closer.end(connection, cause, errno, true)
      return
    }
    const client = 2 * connection
    if (listener.onUnavailable === 'http-503')
      kernel.send(core.fd(client), this.#unavailableAt, this.#unavailable.length, MSG_MORE)
    kernel.shutdown(core.fd(client), SHUT_WR)
    slots.phase[connection] = Phase.lingering
    slots.cause[connection] = cause
    slots.errno[connection] = errno
    core.timers.arm(connection, core.nowMs + core.tuning.lingerMs)
    this.drain(connection)
  }

  /**
   * Reads and drops what a refused client still sends, until it ends: closing a socket with unread bytes would reset
   * it, and the client might never see why it was refused.
   */
  drain(connection: number): void {
    const core = this.#core
    const { kernel, slots, tuning } = core
    for (let turn = 0; turn < 4; turn++) {
      const got = kernel.recv(core.fd(2 * connection), core.scratchAt, tuning.readBytes, 0)
      if (got > 0 || got === -EINTR) continue
      if (got === -EAGAIN) {
        core.rearm(2 * connection)
        return
      }
      this.#closer.end(connection, slots.cause[connection]!, slots.errno[connection]!, false)
      return
    }
    core.runLater(2 * connection)
  }

  #causeOf(connection: number, errno: number): number {
    if (this.#core.slots.attempts[connection] === 0) return this.#causeOfNoChoice(connection)
    if (errno === ETIMEDOUT) return CauseCode.connectTimeout
    return isOwnWant(errno) ? CauseCode.noDescriptors : CauseCode.connectFailed
  }

  /** None was chosen: why is looked for only now, for it takes a look at each. */
  #causeOfNoChoice(connection: number): number {
    const upstream = this.#core.upstreamOf(connection)
    if (upstream.backends.length === 0) return CauseCode.noBackend
    return upstream.mayServe(this.#core.panics[upstream.policy.row]!) ? CauseCode.backendsFull : CauseCode.backendsDown
  }
}
