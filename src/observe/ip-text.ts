const HEX = Array.from({ length: 0x1_0000 }, (_, word) => word.toString(16))

/** An IPv4 address as text, from its 4 bytes in network order. */
export function formatIpv4(bytes: Uint8Array): string {
  return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`
}

/**
 * An IPv6 address as RFC 5952 writes it, from its 16 bytes in network order: lower case, no leading zeros, the longest
 * run of two or more zero words as `::`, the first of equals. An IPv4-mapped address stays one: `::ffff:192.0.2.1`.
 */
export function formatIpv6(bytes: Uint8Array): string {
  if (isIpv4Mapped(bytes)) return `::ffff:${formatIpv4(bytes.subarray(12))}`
  const [start, end] = longestZeroRun(bytes)
  if (end - start < 2) return words(bytes, 0, 8)
  return `${words(bytes, 0, start)}::${words(bytes, end, 8)}`
}

function isIpv4Mapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false
  return bytes[10] === 0xff && bytes[11] === 0xff
}

function longestZeroRun(bytes: Uint8Array): readonly [start: number, end: number] {
  let start = 0
  let end = 0
  for (let from = 0; from < 8; from++) {
    let to = from
    while (to < 8 && word(bytes, to) === 0) to++
    if (to - from > end - start) {
      start = from
      end = to
    }
    from = to
  }
  return [start, end]
}

function words(bytes: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let i = from; i < to; i++) text += i === from ? HEX[word(bytes, i)]! : `:${HEX[word(bytes, i)]}`
  return text
}

function word(bytes: Uint8Array, index: number): number {
  return (bytes[2 * index]! << 8) | bytes[2 * index + 1]!
}
