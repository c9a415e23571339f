import type { Algorithm, AlgorithmParts, Request } from './balancer.ts'
import { BestOfTwo, type SecondIsBetter } from './best-of-two.ts'
import type { Places } from './places.ts'

/**
 * One choice in this many takes the first that is drawn, and compares nothing. A latency is measured by connecting: a
 * backend that was slow once and lost every comparison since would never be measured again.
 */
const EXPLORE_ONE_IN = 64

/**
 * Two by chance, by weight; of them the one with the lower latency × (open connections + 1) for its weight. One that was
 * never measured is tried first, by one connection at a time: as long as it has others, it is taken to be as fast as the
 * backend it is compared with.
 */
export class LeastLatency implements Algorithm {
  readonly #two: BestOfTwo

  constructor(parts: AlgorithmParts) {
    const { random } = parts
    const isFaster: SecondIsBetter = (places, first, firstActive, second, secondActive) =>
      random() * EXPLORE_ONE_IN >= 1 && costsLess(places, second, secondActive, first, firstActive)
    this.#two = new BestOfTwo(parts, isFaster)
  }

  choose(request: Request, inPanic: boolean): number {
    return this.#two.choose(request, inPanic)
  }
}

function costsLess(places: Places, one: number, oneActive: number, other: number, otherActive: number): boolean {
  const { rows } = places.group
  let oneLatency = places.table.latency(rows[one]!)
  let otherLatency = places.table.latency(rows[other]!)
  if (oneLatency === 0 || otherLatency === 0) {
    const oneIsUntried = oneLatency === 0 && oneActive === 0
    if (oneIsUntried !== (otherLatency === 0 && otherActive === 0)) return oneIsUntried
    oneLatency = 1
    otherLatency = 1
  }
  const oneCost = oneLatency * (oneActive + 1) * places.weight(other)
  return oneCost < otherLatency * (otherActive + 1) * places.weight(one)
}
