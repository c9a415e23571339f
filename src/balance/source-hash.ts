import type { Algorithm, AlgorithmParts, Request } from './balancer.ts'
import { murmurBlock, murmurEnd } from './murmur.ts'
import { Places } from './places.ts'

/** Most choices that are made anew because the backend was full by the time its place was to be taken. */
const MAX_TRIES = 8

/**
 * Weighted rendezvous hashing: each client has with each backend a number u from 0 to 1, and goes to the backend with
 * the least -ln(u) / weight. Each gets its weight's part of the clients; a backend that goes loses its own and moves no
 * other, and when it comes back exactly they return. Slow start makes its weight smaller, so clients only come to it.
 *
 * (Weighted Distributed Hash Tables, Schindelhauer and Schomaker, SPAA 2005.)
 */
export class SourceHash implements Algorithm {
  readonly #places: Places

  constructor({ group, table }: AlgorithmParts) {
    this.#places = new Places(group, table)
  }

  choose(request: Request, inPanic: boolean): number {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const index = this.#findNearest(request, inPanic)
      if (index < 0) break
      if (this.#places.take(index)) return index
    }
    return this.#places.takeAny(0, request, inPanic)
  }

  /**
   * -ln(u) is above 1 - u, so a backend with (1 - u) / weight no less than the best so far is out without a logarithm
   * and without a look at its row. That leaves a handful of logarithms, however many backends there are.
   */
  #findNearest(request: Request, inPanic: boolean): number {
    const places = this.#places
    const { identities, weights } = places.group
    const client = request.clientHash | 0
    let nearest = -1
    let least = Number.POSITIVE_INFINITY
    for (let index = 0; index < identities.length; index++) {
      // u = 1 - distance is a multiple of 2⁻³³, never 0 and never 1.
      const distance = ((murmurEnd(murmurBlock(identities[index]!, client), 4) >>> 0) + 0.5) / 0x1_0000_0000
      if (distance >= least * weights[index]!) continue
      if (!places.isOpen(index, request, inPanic)) continue
      const score = -Math.log(1 - distance) / places.weight(index)
      if (score > least || (score === least && identities[index]! > identities[nearest]!)) continue
      nearest = index
      least = score
    }
    return nearest
  }
}
