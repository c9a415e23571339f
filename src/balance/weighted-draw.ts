import type { AlgorithmParts, Request } from './balancer.ts'
import { Places } from './places.ts'

/** Draws that may hit a backend that cannot take the connection before those that can are looked for. */
const MAX_MISSES = 16

/**
 * Draws backends of a group by chance, by weight and share of slow start, among those that can take the connection. The
 * round of round-robin is the urn: each backend lies in it as often as its weight asks.
 */
export class WeightedDraw {
  readonly places: Places
  readonly #random: () => number

  constructor({ group, table, random }: AlgorithmParts) {
    this.places = new Places(group, table)
    this.#random = random
  }

  /** Returns an index other than `except`, or -1 when no other can take the connection. Takes no place. */
  draw(request: Request, inPanic: boolean, except: number): number {
    const { places } = this
    const { schedule, rows } = places.group
    for (let miss = 0; miss < MAX_MISSES && schedule.length > 0; miss++) {
      const index = schedule[Math.floor(this.#random() * schedule.length)]!
      if (index === except || !places.isOpen(index, request, inPanic)) continue
      const share = places.table.share(rows[index]!)
      if (share === 1 || this.#random() < share) return index
    }
    return this.#drawOfOpen(request, inPanic, except)
  }

  /** An index to begin at, each as likely as any other; 0 for a group of none. */
  drawStart(): number {
    return Math.floor(this.#random() * this.places.count)
  }

  /** The same by looking at all: first what they weigh together, then where in it the chance falls. */
  #drawOfOpen(request: Request, inPanic: boolean, except: number): number {
    const { places } = this
    let total = 0
    for (let index = 0; index < places.count; index++) {
      if (index !== except && places.isOpen(index, request, inPanic)) total += places.weight(index)
    }
    let left = this.#random() * total
    let last = -1
    for (let index = 0; index < places.count && total > 0; index++) {
      if (index === except || !places.isOpen(index, request, inPanic)) continue
      last = index
      left -= places.weight(index)
      if (left < 0) break
    }
    return last
  }
}
