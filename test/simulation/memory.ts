const REGION_BYTES = 2 ** 32

/**
 * Fake addresses for real memory. Every registered array is a region of its own, 4 GiB apart, so that an access past
 * either end of an array hits no other.
 */
export class SimMemory {
  readonly #regions: Uint8Array[] = []
  /** Position in the array that {@link locate} returned last. */
  offset = 0

  /** Address of the first byte of `memory`. */
  addressOf(memory: Uint8Array): number {
    this.#regions.push(memory)
    return this.#regions.length * REGION_BYTES
  }

  /** The array that holds `length` bytes at `at`, or null when they are not all inside one registered array. */
  locate(at: number, length: number): Uint8Array | null {
    const region = Math.floor(at / REGION_BYTES)
    const memory = this.#regions[region - 1]
    this.offset = at - region * REGION_BYTES
    return memory !== undefined && this.offset + length <= memory.length ? memory : null
  }
}
