import type { Algorithm, AlgorithmParts, Request } from './balancer.ts'
import { advanceCursor } from './cursor.ts'
import { Places } from './places.ts'

/** Most turns that one choice looks at: a round of large weights is longer, and most of its turns may be of no use. */
const MAX_STEPS = 4096

/** Turns are sorted as one number each: their time in steps of 2⁻³⁶ of a round, then 16 bits of position. */
const TIME_STEPS = 2 ** 36
const POSITIONS = 2 ** 16

/**
 * Weighted round-robin, exact over all workers: one precomputed round, and one shared cursor that each choice moves by
 * one. A backend that cannot take the connection costs one more step; one in slow start lets turns pass, so that its
 * share of them is left.
 */
export class RoundRobin implements Algorithm {
  readonly #places: Places
  readonly #schedule: Uint32Array
  readonly #cursors: Int32Array
  readonly #cursor: number
  readonly #random: () => number

  constructor({ group, table, cursors, cursor, random }: AlgorithmParts) {
    this.#places = new Places(group, table)
    this.#schedule = group.schedule
    this.#cursors = cursors
    this.#cursor = cursor
    this.#random = random
  }

  choose(request: Request, inPanic: boolean): number {
    if (this.#schedule.length === 0) return -1
    const steps = Math.min(this.#schedule.length, MAX_STEPS)
    for (let step = 0; step < steps; step++) {
      const index = this.#nextTurn()
      if (!this.#places.isOpen(index, request, inPanic) || this.#letsPass(index)) continue
      if (this.#places.take(index)) return index
    }
    return this.#chooseAny(request, inPanic)
  }

  /**
   * Looks at each backend once: other workers move the cursor meanwhile, so a whole round of steps may have met the same
   * full or excluded backend again and again, and missed one that has room. One turn more is taken to begin at, or where
   * all backends are in slow start the same one would be first every time.
   */
  #chooseAny(request: Request, inPanic: boolean): number {
    return this.#places.takeAny(this.#nextTurn(), request, inPanic)
  }

  #letsPass(index: number): boolean {
    const share = this.#places.table.share(this.#places.group.rows[index]!)
    return share < 1 && this.#random() >= share
  }

  #nextTurn(): number {
    return this.#schedule[advanceCursor(this.#cursors, this.#cursor, this.#schedule.length)]!
  }
}

/**
 * One round: each position as often as its weight asks (divided by what all weights share), spread evenly over it.
 * Weights 5, 1, 1 give `0 0 0 1 2 0 0`. Weights are integers from 1 to 256, and there are at most 65,536 of them: turns at
 * different times are then 2⁻¹⁷ of a round apart or more.
 */
export function buildSchedule(weights: readonly number[]): Uint32Array {
  const divisor = weights.reduce(greatestCommonDivisor, 0)
  if (divisor === 0) return new Uint32Array(0)
  const turns = new Float64Array(scheduleLength(weights))
  let turn = 0
  weights.forEach((weight, position) => {
    const count = weight / divisor
    for (let k = 0; k < count; k++) turns[turn++] = Math.floor(((k + 0.5) / count) * TIME_STEPS) * POSITIONS + position
  })
  turns.sort()
  return Uint32Array.from(turns, (at) => at % POSITIONS)
}

/** How many turns {@link buildSchedule} gives. */
export function scheduleLength(weights: readonly number[]): number {
  const divisor = weights.reduce(greatestCommonDivisor, 0)
  return divisor === 0 ? 0 : weights.reduce((sum, weight) => sum + weight, 0) / divisor
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
