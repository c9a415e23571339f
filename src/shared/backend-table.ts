import { MAX_BACKENDS } from './limits.ts'

/** Bytes of shared memory for the table itself, and as much again for what each worker holds of it. */
export const BACKEND_TABLE_BYTES = 4 * MAX_BACKENDS

/**
 * Open connections of every backend, exact over all workers.
 *
 * A place is taken by compare-exchange of the count that was seen, so `maxConnections` holds however many workers
 * choose at once. Beside the shared count each worker keeps how much of it is its own: when it throws, main gives
 * exactly that back.
 *
 * ```
 *   active  [ row 0 | row 1 | … ]     shared, all workers
 *   held    [ row 0 | row 1 | … ]     one for each worker; active = Σ held
 * ```
 */
export class BackendTable {
  readonly #active: Int32Array
  readonly #held: Int32Array

  constructor(active: SharedArrayBuffer, held: SharedArrayBuffer) {
    this.#active = new Int32Array(active)
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

  /** Gives back a place that this worker took. */
  release(row: number): void {
    this.#held[row]! -= 1
    Atomics.sub(this.#active, row, 1)
  }

  active(row: number): number {
    return Atomics.load(this.#active, row)
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
