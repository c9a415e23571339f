/**
 * The bytes of a stream, as a function of the stream's number and the position: loss, duplication, reordering and bytes
 * of another connection all show as a mismatch. The first byte is the number itself, which tells whose bytes these are.
 */
const PERIOD = 8192
const table = new Uint8Array(PERIOD)
for (let i = 0, word = 1; i < PERIOD; i++) {
  word = Math.imul(word ^ (word >>> 15), 0x2c1b_3c6d) + 0x9e37
  table[i] = word >>> 13
}

/** Writes bytes `position` to `position + length` of `stream` to `into` at `offset`. */
export function writePattern(stream: number, position: number, into: Uint8Array, offset: number, length: number): void {
  const shift = stream * 1021
  for (let i = 0; i < length; i++) into[offset + i] = table[(position + i + shift) % PERIOD] as number
  if (position === 0 && length > 0) into[offset] = stream
}

/** Index of the first byte of `from` at `offset` that is not the stream's, or -1. */
export function findMismatch(
  stream: number,
  position: number,
  from: Uint8Array,
  offset: number,
  length: number,
): number {
  const shift = stream * 1021
  for (let i = 0; i < length; i++) {
    const expected = position + i === 0 ? stream : (table[(position + i + shift) % PERIOD] as number)
    if (from[offset + i] !== expected) return i
  }
  return -1
}
