import type { Algorithm, AlgorithmParts, Request } from './balancer.ts'
import { murmurEnd, murmurMix, murmurTake } from './murmur.ts'
import { Places } from './places.ts'

/** Most choices that are made anew because the backend was full by the time its place was to be taken. */
const MAX_TRIES = 8

const HASHES = 0x1_0000_0000

/**
 * Weighted rendezvous hashing: each client has with each backend a number u from 0 to 1, and goes to the backend with
 * the least -ln(u) / weight. Each gets its weight's part of the clients; a backend that goes loses its own and moves no
 * other, and when it comes back exactly they return. Slow start makes its weight smaller, so clients only come to it.
 *
 * (Weighted Distributed Hash Tables, Schindelhauer and Schomaker, SPAA 2005.)
 */
export class SourceHash implements Algorithm {
  readonly #places: Places
  readonly #heaviest: number

  constructor({ group, table }: AlgorithmParts) {
    this.#places = new Places(group, table)
    this.#heaviest = group.weights.reduce((a, b) => Math.max(a, b), 0)
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
    const { identities } = places.group
    const client = murmurMix(request.clientHash)
    let nearest = -1
    let least = Number.POSITIVE_INFINITY
    for (let index = 0; index < identities.length; index++) {
      index = this.#skipFarther(index, client, least * HASHES)
      if (index === identities.length) break
      if (!places.isOpen(index, request, inPanic)) continue
      // A multiple of 2⁻³³: never 0, never 1.
      const u = 1 - (hashOf(identities[index]!, client) + 0.5) / HASHES
      const score = -Math.log(u) / places.weight(index)
      if (score > least || (score === least && identities[index]! > identities[nearest]!)) continue
      nearest = index
      least = score
    }
    return nearest
  }

  /**
   * The next index from `index` on that is not out by its hash alone. Most are out whatever they weigh, so that no
   * weight is looked at. Calls nothing, and so runs at full speed.
   */
  #skipFarther(index: number, client: number, bound: number): number {
    const { identities, weights } = this.#places.group
    const { length } = identities
    const limit = Math.min(bound * this.#heaviest, HASHES - 1) >>> 0
    let at = index
    for (; at < length; at++) {
      const hash = hashOf(identities[at]!, client)
      if (hash <= limit && hash < bound * weights[at]!) break
    }
    return at
  }
}

/** A number from 0 to below {@link HASHES}: MurmurHash3_x86_32 of the client's hash, seeded with the identity. */
function hashOf(identity: number, mixedClient: number): number {
  return murmurEnd(murmurTake(identity, mixedClient), 4) >>> 0
}
