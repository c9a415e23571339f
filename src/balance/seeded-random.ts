import { murmurEnd } from './murmur.ts'

/**
 * A source of chance: numbers from 0 to below 1, in steps of 2⁻³², by xoshiro128** (Blackman and Vigna, public domain).
 * Each worker takes another `seed`, an int32. `Math.random` would do, but what it returns is boxed: memory for each
 * choice. Not for secrets.
 */
export function seededRandom(seed: number): () => number {
  // Four different numbers that are mixed one to one: they cannot all be 0, from which the generator never comes away.
  const state = Int32Array.from([1, 2, 3, 4], (n) => murmurEnd((seed + Math.imul(n, 0x9e37_79b9)) | 0, 0))
  return () => {
    const first = state[0]!
    const second = state[1]!
    const fifth = Math.imul(second, 5)
    const result = Math.imul((fifth << 7) | (fifth >>> 25), 9)
    state[2]! ^= first
    state[3]! ^= second
    state[1]! ^= state[2]!
    state[0]! ^= state[3]!
    state[2]! ^= second << 9
    state[3] = (state[3]! << 11) | (state[3]! >>> 21)
    return (result >>> 0) / 0x1_0000_0000
  }
}
