import type { BackendTable } from '../shared/backend-table.ts'
import type { Balancer, Candidate } from './balancer.ts'

/**
 * Weighted round-robin, exact over all workers: one precomputed round, and one shared cursor that each choice moves by
 * one. A backend that cannot take the connection costs one more step.
 */
export class RoundRobinBalancer implements Balancer {
  readonly #schedule: Uint32Array
  readonly #candidates: readonly Candidate[]
  readonly #cursors: Int32Array
  readonly #cursor: number

  /** `cursor` is the index of this upstream's cell in `cursors`; the position survives in it when snapshots change. */
  constructor(schedule: Uint32Array, candidates: readonly Candidate[], cursors: Int32Array, cursor: number) {
    this.#schedule = schedule
    this.#candidates = candidates
    this.#cursors = cursors
    this.#cursor = cursor
  }

  choose(table: BackendTable, isExcluded: (row: number) => boolean): number {
    const schedule = this.#schedule
    for (let step = 0; step < schedule.length; step++) {
      const position = schedule[this.#advance(schedule.length)]!
      const candidate = this.#candidates[position]!
      if (isExcluded(candidate.row)) continue
      if (table.acquire(candidate.row, candidate.maxConnections)) return position
    }
    return this.#chooseAny(table, isExcluded)
  }

  /**
   * Looks at each backend once. Other workers move the cursor meanwhile, so a whole round of steps may have met the same
   * full or excluded backend again and again, and missed one that has room.
   */
  #chooseAny(table: BackendTable, isExcluded: (row: number) => boolean): number {
    for (let position = 0; position < this.#candidates.length; position++) {
      const candidate = this.#candidates[position]!
      if (!isExcluded(candidate.row) && table.acquire(candidate.row, candidate.maxConnections)) return position
    }
    return -1
  }

  /** Moves the cursor by one and returns where it stood, always below `length`. */
  #advance(length: number): number {
    for (;;) {
      const seen = Atomics.load(this.#cursors, this.#cursor)
      const current = seen < length ? seen : 0
      const next = current + 1 === length ? 0 : current + 1
      if (Atomics.compareExchange(this.#cursors, this.#cursor, seen, next) === seen) return current
    }
  }
}

/**
 * One round: each position as often as its weight asks (divided by what all weights share), spread evenly over it.
 * Weights 5, 1, 1 give `0 0 0 1 2 0 0`.
 */
export function buildSchedule(weights: readonly number[]): Uint32Array {
  const divisor = weights.reduce(greatestCommonDivisor, 0)
  if (divisor === 0) return new Uint32Array(0)
  const turns: { at: number; position: number }[] = []
  weights.forEach((weight, position) => {
    const count = weight / divisor
    for (let k = 0; k < count; k++) turns.push({ at: (k + 0.5) / count, position })
  })
  turns.sort((a, b) => a.at - b.at || a.position - b.position)
  return Uint32Array.from(turns, (turn) => turn.position)
}

/** How many turns {@link buildSchedule} gives. */
export function scheduleLength(weights: readonly number[]): number {
  const divisor = weights.reduce(greatestCommonDivisor, 0)
  return divisor === 0 ? 0 : weights.reduce((sum, weight) => sum + weight, 0) / divisor
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
