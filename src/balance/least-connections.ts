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

  /** What costs most is asked last: most backends are out by their count alone. */
  #findLeast(start: number, request: Request, inPanic: boolean): number {
    const places = this.#places
    const { count } = places
    let least = -1
    let leastActive = 0
    let leastWeight = 0
    for (let step = 0, index = start; step < count; step++, index = index + 1 === count ? 0 : index + 1) {
      const active = places.active(index)
      const weight = places.weight(index)
      // Fractions are compared by multiplying crosswise: exact for whole weights, so that equals are equal.
      if (least >= 0 && active * leastWeight >= leastActive * weight) continue
      if (active >= places.group.maxConnections[index]! || !places.isOpen(index, request, inPanic)) continue
      least = index
      leastActive = active
      leastWeight = weight
    }
    this.#seen = leastActive
    return least
  }
}
