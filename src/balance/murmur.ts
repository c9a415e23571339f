/**
 * The steps of MurmurHash3_x86_32 (Austin Appleby, public domain): a fixed, public function, so that every process on
 * every machine agrees. Whoever may choose all of its input can choose what comes out; where that matters it is keyed.
 */

/** Takes one block of four bytes, read as little-endian, into the state. */
export function murmurBlock(state: number, block: number): number {
  let k = Math.imul(block, 0xcc9e2d51)
  k = (k << 15) | (k >>> 17)
  const h = state ^ Math.imul(k, 0x1b873593)
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

/** Takes the last one to three bytes of input that is no whole number of blocks, read as little-endian. */
export function murmurTail(state: number, tail: number): number {
  const k = Math.imul(tail, 0xcc9e2d51)
  return state ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593)
}

/** The int32 hash of what the state has taken, `bytes` in all. Each bit of the state changes each of it half the time. */
export function murmurEnd(state: number, bytes: number): number {
  let h = state ^ bytes
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
