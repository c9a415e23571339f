import { BackendCounter } from '../shared/worker-counters.ts'
import type { Core } from './core.ts'
import type { OrderPort } from './messages.ts'
import { Flag } from './slots.ts'

/** What connections say of their backends: how long a connect takes, and whether failures come in a row. */
export class Outcomes {
  readonly #core: Core
  readonly #port: OrderPort

  constructor(core: Core, port: OrderPort) {
    this.#core = core
    this.#port = port
  }

  /** The backend of the connection is connected. */
  noteConnected(connection: number): void {
    const { slots, table, nowMs } = this.#core
    const { balance, earlyResetMs } = this.#core.upstreamOf(connection).policy
    const row = slots.backendRow[connection]!
    if (balance === 'least-latency') table.noteLatency(row, nowMs - slots.dialedAt[connection]!, nowMs)
    // Where an early reset is a failure, a connection has to prove itself first.
    if (earlyResetMs === 0) table.clearFailures(row)
  }

  /** The backend of the connection could not be connected. */
  noteFailure(connection: number, errno: number): void {
    const { slots, counters } = this.#core
    counters.addBackend(slots.backendRow[connection]!, BackendCounter.connectFailures, 1)
    this.#count(connection, errno, false)
  }

  /** The backend has sent its first bytes: whatever failed before, it serves. */
  noteAnswer(connection: number): void {
    const { slots, table } = this.#core
    table.clearFailures(slots.backendRow[connection]!)
  }

  /** When a reset by the backend speaks against it no more, reactor ms; Infinity where none does, or that is over. */
  provenAtMs(connection: number): number {
    const { earlyResetMs } = this.#core.upstreamOf(connection).policy
    const provenAtMs = this.#core.slots.connectedAt[connection]! + earlyResetMs
    return earlyResetMs > 0 && provenAtMs > this.#core.nowMs ? provenAtMs : Number.POSITIVE_INFINITY
  }

  /** The connection goes on. If it has come through the time of early resets, its backend serves, though it be silent. */
  noteLife(connection: number): void {
    if (this.provenAtMs(connection) === Number.POSITIVE_INFINITY) this.#prove(connection)
  }

  /** The client has ended the connection in order, and the backend after it: it serves, though it be silent. */
  noteOrderlyEnd(connection: number): void {
    this.#prove(connection)
  }

  /** Each connection proves its backend once: that an old one goes on, or ends, says nothing of new ones. */
  #prove(connection: number): void {
    const { slots, table } = this.#core
    const side = 2 * connection + 1
    const { earlyResetMs } = this.#core.upstreamOf(connection).policy
    const isNews = earlyResetMs > 0 && slots.delivered[side] === 0 && (slots.flags[side]! & Flag.proven) === 0
    if (isNews) table.clearFailures(slots.backendRow[connection]!)
    slots.flags[side]! |= Flag.proven
  }

  /** The backend has reset the connection. It counts as a failure if it came early and had sent nothing. */
  noteReset(connection: number, errno: number): void {
    const { slots, counters, nowMs } = this.#core
    const { earlyResetMs } = this.#core.upstreamOf(connection).policy
    const isEarly = nowMs - slots.connectedAt[connection]! < earlyResetMs
    if (!isEarly || slots.delivered[2 * connection + 1] !== 0) return
    counters.addBackend(slots.backendRow[connection]!, BackendCounter.earlyResets, 1)
    this.#count(connection, errno, true)
  }

  /** One more failure in a row: main is told of it where it is one too many. */
  #count(connection: number, errno: number, wasConnected: boolean): void {
    const { slots, table } = this.#core
    const row = slots.backendRow[connection]!
    const { failuresToTell } = this.#core.upstreamOf(connection).policy
    if (failuresToTell > 0 && table.noteFailure(row) % failuresToTell === 0) {
      this.#port.report({ type: 'failing', row, id: table.id(row), errno, wasConnected })
    }
  }
}
