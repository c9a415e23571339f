import type { Algorithm, AlgorithmParts, Request } from './balancer.ts'
import { advanceCursor } from './cursor.ts'
import { Places } from './places.ts'

/**
 * Most choices that are made anew because the count they were made by had changed. Each was changed by a worker that got
 * its own place meanwhile, so this many are not met in practice.
 */
const MAX_TRIES = 32

/**
 * Fewest open connections for its weight, over all workers. The place is taken only if the backend still has the
 * connections that it was chosen by, so that two workers never take the same idle one. Equals are taken in turn: the
 * search begins at the shared cursor, which each choice moves by one.
 */
export class LeastConnections implements Algorithm {
  readonly #places: Places
  readonly #cursors: Int32Array
  readonly #cursor: number
  /** Open connections that the last search saw at what it found. */
  #seen = 0

  constructor({ group, table, cursors, cursor }: AlgorithmParts) {
    this.#places = new Places(group, table)
    this.#cursors = cursors
    this.#cursor = cursor
  }

  choose(request: Request, inPanic: boolean): number {
    const places = this.#places
    if (places.count === 0) return -1
    const start = advanceCursor(this.#cursors, this.#cursor, places.count)
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const index = this.#findLeast(start, request, inPanic)
      if (index < 0) break
      if (places.takeAt(index, this.#seen)) return index
    }
    return places.takeAny(start, request, inPanic)
  }

  #findLeast(start: number, request: Request, inPanic: boolean): number {
    const places = this.#places
    const { count } = places
    const { rows, weights } = places.group
    let least = -1
    let leastActive = 1
    let leastWeight = 0
    for (let step = 0; step < count && leastActive > 0; step++) {
      step = this.#skipBusier(start, step, leastActive, leastWeight)
      if (step === count) break
      const index = start + step < count ? start + step : start + step - count
      const active = places.active(index)
      const weight = weights[index]! * places.table.share(rows[index]!)
      if (active * leastWeight >= leastActive * weight) continue
      if (active >= places.group.maxConnections[index]! || !places.isOpen(index, request, inPanic)) continue
      least = index
      leastActive = active
      leastWeight = weight
    }
    this.#seen = leastActive
    return least
  }

  /**
   * The next step from `step` on whose backend is not out by its count and weight alone, as most are: slow start only
   * adds to a cost. Fractions are compared by multiplying crosswise, exact for whole weights, so that equals are equal.
   * Calls nothing that has effects, and so runs at full speed.
   */
  #skipBusier(start: number, step: number, leastActive: number, leastWeight: number): number {
    const { rows, weights } = this.#places.group
    const { table } = this.#places
    const { length } = rows
    let at = step
    let index = start + step < length ? start + step : start + step - length
    while (at < length && table.glance(rows[index]!) * leastWeight >= leastActive * weights[index]!) {
      at++
      index = index + 1 === length ? 0 : index + 1
    }
    return at
  }
}
