import type { Algorithm, AlgorithmParts, Request } from './balancer.ts'
import { WeightedDraw } from './weighted-draw.ts'

/** Most draws whose backend may be full by the time its place is to be taken. */
const MAX_TRIES = 8

/** By chance, by weight: no state at all is shared. */
export class Random implements Algorithm {
  readonly #urn: WeightedDraw

  constructor(parts: AlgorithmParts) {
    this.#urn = new WeightedDraw(parts)
  }

  choose(request: Request, inPanic: boolean): number {
    const { places } = this.#urn
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const index = this.#urn.draw(request, inPanic, -1)
      if (index < 0) break
      if (places.take(index)) return index
    }
    return places.takeAny(this.#urn.drawStart(), request, inPanic)
  }
}
