/**
 * The steps of MurmurHash3_x86_32 (Austin Appleby, public domain): a fixed, public function, so that every process on
 * every machine agrees. Whoever may choose all of its input can choose what comes out; where that matters it is keyed.
 */

/** What a block of four bytes, read as little-endian, is before the state takes it. */
export function murmurMix(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51)
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593)
}

/** Takes a mixed block into the state. */
export function murmurTake(state: number, mixed: number): number {
  const h = state ^ mixed
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

/** The int32 hash of what the state has taken, `bytes` in all. Each bit of the state changes each of it half the time. */
export function murmurEnd(state: number, bytes: number): number {
  let h = state ^ bytes
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
