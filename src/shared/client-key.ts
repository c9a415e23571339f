/** Bits of an address that tell clients apart. */
interface Prefix {
  readonly ipv4: number
  readonly ipv6: number
}

const MAPPED_BITS = 96

/**
 * A client as the client table knows it: an upstream's row, and the client's address cut to the upstream's prefix. IPv4
 * is IPv4-mapped (RFC 4291, 2.5.5.2). One object is filled anew for each connection: nothing is allocated on this path.
 *
 * ```
 *   words   [ upstream row | address, 16 bytes in network order ]
 *               └ bits 16 and up: 0, so that other kinds of keys have room beside this one
 * ```
 */
export class ClientKey {
  readonly words = new Int32Array(5)
  /** The 16 bytes of the address. */
  readonly bytes = new Uint8Array(this.words.buffer, 4, 16)

  get upstreamRow(): number {
    return this.words[0]!
  }

  /** Takes the 4 bytes in network order that start at `offset`. */
  setIpv4(upstreamRow: number, source: Uint8Array, offset: number, prefix: Prefix): void {
    const { bytes } = this
    this.words[0] = upstreamRow
    this.words[1] = 0
    this.words[2] = 0
    bytes[8] = 0
    bytes[9] = 0
    bytes[10] = 0xff
    bytes[11] = 0xff
    for (let i = 0; i < 4; i++) bytes[12 + i] = source[offset + i]!
    this.#cut(MAPPED_BITS + prefix.ipv4)
  }

  /**
   * Takes the 16 bytes in network order that start at `offset`. An IPv4-mapped address is cut as IPv4: cut as IPv6, all
   * of them would be one client.
   */
  setIpv6(upstreamRow: number, source: Uint8Array, offset: number, prefix: Prefix): void {
    this.words[0] = upstreamRow
    for (let i = 0; i < 16; i++) this.bytes[i] = source[offset + i]!
    this.#cut(this.isIpv4() ? MAPPED_BITS + prefix.ipv4 : prefix.ipv6)
  }

  isIpv4(): boolean {
    const { words, bytes } = this
    return (
      words[1] === 0 && words[2] === 0 && bytes[8] === 0 && bytes[9] === 0 && bytes[10] === 0xff && bytes[11] === 0xff
    )
  }

  #cut(bits: number): void {
    for (let i = bits >> 3; i < 16; i++) this.bytes[i]! &= i === bits >> 3 ? 0xff00 >> (bits & 7) : 0
  }
}
