import { AccessField, MAX_RECORDED_ATTEMPTS } from '../shared/access-record.ts'
import type { Core } from './core.ts'
import { MAX_ATTEMPTS } from './slots.ts'

// Fields as word and float indexes from the start of a record.
const float = (offset: number) => offset / 8
const word = (offset: number) => offset / 4

/** Writes access records of ended connections into the worker's ring. Allocates nothing. */
export class Recorder {
  readonly #core: Core

  constructor(core: Core) {
    this.#core = core
  }

  record(connection: number, cause: number, errno: number): void {
    const { slots, records, kernel, table, workerId } = this.#core
    const base = records.reserve()
    if (base < 0) return
    const nowMs = kernel.nowMs()
    const { words, floats } = records
    const acceptedAt = slots.acceptedAt[connection]!
    const serving = this.#core.servings.at(slots.serving[connection]!)
    const listener = serving.listeners[slots.listener[connection]!]!
    const first = base / 2
    floats[first + float(AccessField.acceptedAt)] = kernel.wallClockMs() - (nowMs - acceptedAt)
    floats[first + float(AccessField.connectMs)] = slots.connectedAt[connection]! - acceptedAt
    floats[first + float(AccessField.totalMs)] = nowMs - acceptedAt
    floats[first + float(AccessField.bytesUp)] = slots.delivered[2 * connection]!
    floats[first + float(AccessField.bytesDown)] = slots.delivered[2 * connection + 1]!
    words[base + word(AccessField.generation)] = serving.snapshot.generation
    words[base + word(AccessField.listenerRow)] = listener.row
    words[base + word(AccessField.upstreamRow)] = serving.upstreams[listener.upstream]!.policy.row
    const backendRow = slots.backendRow[connection]!
    words[base + word(AccessField.backend)] = backendRow < 0 ? -1 : table.id(backendRow)
    words[base + word(AccessField.cause)] = cause
    words[base + word(AccessField.errno)] = errno
    words[base + word(AccessField.worker)] = workerId
    this.#recordAttempts(connection, base)
    this.#recordClient(connection, base)
    records.publish()
  }

  #recordAttempts(connection: number, base: number): void {
    const { slots, records } = this.#core
    const count = slots.attempts[connection]!
    records.words[base + word(AccessField.attemptCount)] = count
    const listed = Math.min(count, MAX_RECORDED_ATTEMPTS)
    for (let i = 0; i < listed; i++) {
      const at = base + word(AccessField.attempts) + 2 * i
      records.words[at] = slots.triedIds[connection * MAX_ATTEMPTS + i]!
      records.words[at + 1] = slots.triedErrnos[connection * MAX_RECORDED_ATTEMPTS + i]!
    }
  }

  #recordClient(connection: number, base: number): void {
    const { slots, records } = this.#core
    const from = connection * 5
    const head = slots.clientAddress[from]!
    // sockaddr has the port in network order in the upper half of its first word.
    const port = ((head >>> 24) & 0xff) | ((head >>> 8) & 0xff00)
    records.words[base + word(AccessField.clientFamily)] = (head & 0xffff) | (port << 16)
    for (let i = 0; i < 4; i++) {
      records.words[base + word(AccessField.clientAddress) + i] = slots.clientAddress[from + 1 + i]!
    }
  }
}
