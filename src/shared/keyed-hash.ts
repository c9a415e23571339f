/**
 * HalfSipHash-1-3 of the first `count` words of `words` under a secret of 64 bits: 32 bits, signed. Without the secret
 * nobody can tell which inputs meet in one bucket. It is what Linux hashes with for its own tables (include/linux/siphash.h;
 * Aumasson and Bernstein, "SipHash: a fast short-input PRF").
 */
export function keyedHash(words: Int32Array, count: number, secret0: number, secret1: number): number {
  let v0 = secret0 | 0
  let v1 = secret1 | 0
  let v2 = 0x6c79_6765 ^ secret0
  let v3 = 0x7465_6462 ^ secret1
  // One round a word, one for the length, three to finish.
  for (let round = 0; round < count + 4; round++) {
    const word = round < count ? words[round]! : round === count ? count << 26 : 0
    if (round === count + 1) v2 ^= 0xff
    v3 ^= word
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= word
  }
  return v1 ^ v3
}
