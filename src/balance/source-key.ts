import { Buffer } from 'node:buffer'
import { murmurEnd, murmurMix, murmurTake } from './murmur.ts'

// Families as Linux numbers them; src/kernel has the constants, which this folder does not know.
const AF_INET = 2
const AF_INET6 = 10

/** `ffff` in network order, as a little-endian machine reads the third word of an IPv4-mapped address. */
const MAPPED = 0xffff_0000 | 0

/**
 * The hash of a client's address, cut to a prefix: MurmurHash3_x86_32, seed 0, over the 4 or 16 bytes of the address in
 * network order with all bits after the prefix 0.
 *
 * `words` has at `at` the five words in which the data plane keeps an address: family (low 16 bits) and port, then 1 or
 * 4 words of address as a little-endian machine reads them. An IPv4-mapped IPv6 address counts as IPv4. Clients on unix
 * sockets have no address: all are 0.
 */
export function sourceKey(words: Int32Array, at: number, ipv4Prefix: number, ipv6Prefix: number): number {
  const family = words[at]! & 0xffff
  if (family === AF_INET) return ipv4Key(words[at + 1]!, ipv4Prefix)
  if (family !== AF_INET6) return 0
  const isMapped = words[at + 1] === 0 && words[at + 2] === 0 && words[at + 3] === MAPPED
  if (isMapped) return ipv4Key(words[at + 4]!, ipv4Prefix)
  let state = 0
  for (let i = 0; i < 4; i++) state = murmurTake(state, murmurMix(words[at + 1 + i]! & maskOf(ipv6Prefix - 32 * i)))
  return murmurEnd(state, 16)
}

function ipv4Key(word: number, prefix: number): number {
  return murmurEnd(murmurTake(0, murmurMix(word & maskOf(prefix))), 4)
}

/** The first `bits` bits of a word in network order, on a little-endian machine; none below 1, all above 31. */
function maskOf(bits: number): number {
  if (bits >= 32) return -1
  if (bits <= 0) return 0
  const mask = -1 << (32 - bits)
  return ((mask & 0xff) << 24) | ((mask & 0xff00) << 8) | ((mask >>> 8) & 0xff00) | (mask >>> 24)
}

/** The hash of a backend's formatted address, the same in every process: MurmurHash3_x86_32 of its UTF-8, seed 0. */
export function identityOf(name: string): number {
  const bytes = Buffer.from(name)
  const whole = bytes.length & ~3
  let state = 0
  for (let i = 0; i < whole; i += 4) state = murmurTake(state, murmurMix(bytes.readInt32LE(i)))
  if (whole < bytes.length) state ^= murmurMix(bytes.readUIntLE(whole, bytes.length - whole))
  return murmurEnd(state, bytes.length)
}
