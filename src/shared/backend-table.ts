import { MAX_BACKENDS } from './limits.ts'

/** Bytes of shared memory for one field of every row; what each worker holds of `active` takes as much again. */
const FIELD_BYTES = 4 * MAX_BACKENDS
/** How many fields of int32 the table has, one after the other. */
export const BACKEND_FIELDS = 7

/** Bytes of shared memory for the table itself. */
export const BACKEND_TABLE_BYTES = BACKEND_FIELDS * FIELD_BYTES
/** Bytes of what one worker holds of it. */
export const BACKEND_HELD_BYTES = FIELD_BYTES

/** Why a backend gets no new connection, in the bits of its state; 0: it may. Written by main alone. */
export const BackendState = {
  /** Its checks say so. */
  down: 1 << 0,
  /** Connections to it failed, and it sits out a while. */
  ejected: 1 << 1,
  /** The operator wants no new client on it; those who were on it before may come back. */
  draining: 1 << 2,
  /** The operator wants no connection to it at all. */
  maintenance: 1 << 3,
} as const

/** What panic does not overrule: the operator's will. */
const BY_OPERATOR = BackendState.draining | BackendState.maintenance

/** `share` of the table: everything. */
const FULL_SHARE = 65_536

/** How fast a measured latency forgets: after this long an old one weighs 1/e. */
const LATENCY_DECAY_MS = 10_000

/**
 * Every backend as all threads see it: open connections, exact over all workers, and whether it may get more.
 *
 * A place is taken by compare-exchange of the count that was seen, so `maxConnections` holds however many workers
 * choose at once. Beside the shared count each worker keeps how much of it is its own: when it throws, main gives
 * exactly that back.
 *
 * ```
 *   active     [ row 0 | row 1 | … ]   open connections; all workers
 *   state      [ row 0 | row 1 | … ]   BackendState; main
 *   reduction  [ row 0 | row 1 | … ]   what slow start takes from its share, 65,536 being all of it; main
 *   failures   [ row 0 | row 1 | … ]   failed connections in a row; all workers
 *   latency    [ row 0 | row 1 | … ]   float32, ms: decaying peak of the time to connect; all workers
 *   measured   [ row 0 | row 1 | … ]   when, monotonic ms; all workers
 *   id         [ row 0 | row 1 | … ]   whose row it is: a number that no two backends ever have; main
 *
 *   held       [ row 0 | row 1 | … ]   one for each worker; active = Σ held
 * ```
 */
export class BackendTable {
  readonly #active: Int32Array
  readonly #state: Int32Array
  readonly #reduction: Int32Array
  readonly #failures: Int32Array
  readonly #latency: Float32Array
  readonly #measured: Int32Array
  readonly #id: Int32Array
  readonly #held: Int32Array

  constructor(table: SharedArrayBuffer, held: SharedArrayBuffer) {
    const field = (index: number) => new Int32Array(table, index * FIELD_BYTES, MAX_BACKENDS)
    this.#active = field(0)
    this.#state = field(1)
    this.#reduction = field(2)
    this.#failures = field(3)
    this.#latency = new Float32Array(table, 4 * FIELD_BYTES, MAX_BACKENDS)
    this.#measured = field(5)
    this.#id = field(6)
    this.#held = new Int32Array(held)
  }

  /** Takes a place at the backend, unless it has `maxConnections` already. */
  acquire(row: number, maxConnections: number): boolean {
    const active = this.#active
    for (;;) {
      const count = Atomics.load(active, row)
      if (count >= maxConnections) return false
      if (Atomics.compareExchange(active, row, count, count + 1) === count) break
    }
    this.#held[row]! += 1
    return true
  }

  /** Takes a place only if the backend has exactly `count` connections, as whoever chose it by them has seen. */
  acquireAt(row: number, count: number): boolean {
    if (Atomics.compareExchange(this.#active, row, count, count + 1) !== count) return false
    this.#held[row]! += 1
    return true
  }

  /** Gives back a place that this worker took. */
  release(row: number): void {
    this.#held[row]! -= 1
    Atomics.sub(this.#active, row, 1)
  }

  active(row: number): number {
    return Atomics.load(this.#active, row)
  }

  /**
   * As {@link active}, by a plain read: a tenth of its price where many rows are looked at, and perhaps a moment old.
   * Whoever chooses by it takes the place with {@link acquireAt}, which finds that out.
   */
  glance(row: number): number {
    return this.#active[row]!
  }

  /** Whether it may get a new connection; in a panic health is ignored, the operator is not. */
  isAvailable(row: number, inPanic: boolean): boolean {
    const state = this.#state[row]!
    return inPanic ? (state & BY_OPERATOR) === 0 : state === 0
  }

  /** Whether it may get a connection of a client that was on it before: draining keeps away new clients only. */
  mayComeBack(row: number, inPanic: boolean): boolean {
    const state = this.#state[row]! & ~BackendState.draining
    return (inPanic ? state & BackendState.maintenance : state) === 0
  }

  state(row: number): number {
    return Atomics.load(this.#state, row)
  }

  setState(row: number, state: number): void {
    Atomics.store(this.#state, row, state)
  }

  /** Its share of what its weight says, above 0 and at most 1: less than 1 in slow start. */
  share(row: number): number {
    return 1 - this.#reduction[row]! / FULL_SHARE
  }

  setShare(row: number, share: number): void {
    const reduction = Math.round((1 - share) * FULL_SHARE)
    Atomics.store(this.#reduction, row, Math.min(Math.max(reduction, 0), FULL_SHARE - 1))
  }

  /** Counts a failed connection. Returns how many there have been in a row. */
  noteFailure(row: number): number {
    return Atomics.add(this.#failures, row, 1) + 1
  }

  /** A connection was good: the row of failures is over. */
  clearFailures(row: number): void {
    if (this.#failures[row] !== 0) Atomics.store(this.#failures, row, 0)
  }

  /**
   * Takes a measured time to connect into account: a slower one at once, a faster one over about ten seconds
   * (peak-EWMA). Workers that write at the same time may lose one another's measure, never corrupt it.
   */
  noteLatency(row: number, latencyMs: number, nowMs: number): void {
    const known = this.#latency[row]!
    if (latencyMs >= known || known === 0) this.#latency[row] = Math.max(latencyMs, 0.001)
    else {
      const age = Math.max(0, ((nowMs | 0) - this.#measured[row]!) | 0)
      const kept = Math.exp(-age / LATENCY_DECAY_MS)
      this.#latency[row] = Math.max(known * kept + latencyMs * (1 - kept), 0.001)
    }
    this.#measured[row] = nowMs | 0
  }

  /** The decaying peak of the times to connect, ms; 0 where none was measured. */
  latency(row: number): number {
    return this.#latency[row]!
  }

  /** Whose row it is. Whoever keeps a row for later keeps this too, for by then the row may be another's. */
  id(row: number): number {
    return Atomics.load(this.#id, row)
  }

  /** Gives a row to backend `id`: all that was known of the last one is forgotten. It has no connections by now. */
  assign(row: number, id: number): void {
    Atomics.store(this.#id, row, id)
    this.setState(row, 0)
    this.setShare(row, 1)
    Atomics.store(this.#failures, row, 0)
    this.#latency[row] = 0
    this.#measured[row] = 0
  }

  /** Gives back every place of a worker that is gone. Returns how many there were. */
  abandon(): number {
    let places = 0
    for (let row = 0; row < MAX_BACKENDS; row++) {
      const held = this.#held[row]!
      if (held === 0) continue
      Atomics.sub(this.#active, row, held)
      this.#held[row] = 0
      places += held
    }
    return places
  }
}
