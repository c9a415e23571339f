import type { AlgorithmParts, Request } from './balancer.ts'
import type { Places } from './places.ts'
import { WeightedDraw } from './weighted-draw.ts'

/** Most draws of two that are made anew because the count they were compared by had changed. */
const MAX_TRIES = 8

/** Whether the second is better; both with the open connections they are compared by. */
export type SecondIsBetter = (
  places: Places,
  first: number,
  firstActive: number,
  second: number,
  secondActive: number,
) => boolean

/**
 * Draws two different backends by weight and takes a place at the better one: nearly as even as looking at all, at a
 * price that does not grow with them, and workers do not all run to the same best one.
 */
export class BestOfTwo {
  readonly #urn: WeightedDraw
  readonly #secondIsBetter: SecondIsBetter

  constructor(parts: AlgorithmParts, secondIsBetter: SecondIsBetter) {
    this.#urn = new WeightedDraw(parts)
    this.#secondIsBetter = secondIsBetter
  }

  choose(request: Request, inPanic: boolean): number {
    const urn = this.#urn
    const { places } = urn
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const first = urn.draw(request, inPanic, -1)
      if (first < 0) break
      const index = this.#compare(first, urn.draw(request, inPanic, first))
      if (index >= 0) return index
    }
    return places.takeAny(urn.drawStart(), request, inPanic)
  }

  /** Takes a place at the better of both, `second` being -1 where there is none; -1 when its count has changed. */
  #compare(first: number, second: number): number {
    const { places } = this.#urn
    const firstActive = places.active(first)
    const secondActive = second < 0 ? 0 : places.active(second)
    const isSecond = second >= 0 && this.#secondIsBetter(places, first, firstActive, second, secondActive)
    const index = isSecond ? second : first
    const active = isSecond ? secondActive : firstActive
    return active < places.group.maxConnections[index]! && places.takeAt(index, active) ? index : -1
  }
}
