import type { Algorithm, AlgorithmParts, Request } from './balancer.ts'
import { BestOfTwo, type SecondIsBetter } from './best-of-two.ts'

/** Two by chance, by weight; of them the one with fewer open connections for its weight. */
export class RandomTwo implements Algorithm {
  readonly #two: BestOfTwo

  constructor(parts: AlgorithmParts) {
    this.#two = new BestOfTwo(parts, hasFewer)
  }

  choose(request: Request, inPanic: boolean): number {
    return this.#two.choose(request, inPanic)
  }
}

const hasFewer: SecondIsBetter = ({ group, table }, first, firstActive, second, secondActive) => {
  const firstWeight = group.weights[first]! * table.share(group.rows[first]!)
  const secondWeight = group.weights[second]! * table.share(group.rows[second]!)
  return secondActive * firstWeight < firstActive * secondWeight
}
