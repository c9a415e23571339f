/** A seeded generator (mulberry32): a whole schedule is a function of its seed. Not for secrets. */
export class Random {
  #state: number

  constructor(seed: number) {
    // Neighbouring seeds must not give neighbouring schedules, so the seed is mixed first.
    let mixed = Math.imul(seed ^ (seed / 0x1_0000_0000), 0x9e37_79b1)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85eb_ca77)
    this.#state = mixed ^ (mixed >>> 13)
  }

  /** A whole number from 0 to 2³² − 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t)
    return (t ^ (t >>> 14)) >>> 0
  }

  /** A whole number from 0 to `limit` − 1. */
  below(limit: number): number {
    return this.next() % limit
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** True `per1024` times out of 1,024. Zero takes nothing from the generator. */
  chance(per1024: number): boolean {
    return per1024 !== 0 && (this.next() & 1023) < per1024
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T
  }
}
