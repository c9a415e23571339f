const DOT = 0x2e
const ZERO = 0x30
/** Digits of the largest number that is written digit by digit. */
const LARGEST = 999_999_999
const INITIAL_BYTES = 65_536 + 4096

/**
 * Lines in the making, as the bytes that they will be. A busy log is made of some bytes that are the same in each line
 * and of numbers: neither has to become a string first. The bytes of {@link take} are the taker's.
 */
export class LineBuffer {
  #bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  #length = 0

  /** Bytes so far. */
  get length(): number {
    return this.#length
  }

  /** Takes back what was written after there were `length` bytes. */
  cutTo(length: number): void {
    this.#length = length
  }

  /** What was written since the last time. A copy, for a part would keep all of the memory for as long as it waits. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#length))
    if (this.#bytes.length > INITIAL_BYTES) this.#bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES)
    this.#length = 0
    return taken
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** Text of ASCII characters. */
  ascii(text: string): void {
    this.#reserve(text.length)
    this.#length += this.#bytes.write(text, this.#length, 'latin1')
  }

  byte(byte: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = byte
  }

  /** A number as String() has it. */
  number(value: number): void {
    if (!(value >= 0 && value <= LARGEST && Number.isInteger(value))) {
      this.ascii(String(value))
      return
    }
    let digits = 1
    for (let power = 10; power <= value; power *= 10) digits++
    this.#digits(value, digits)
  }

  /** A number of milliseconds rounded to the microsecond, as String() has it: `1.235`, `5007`, `0.5`. */
  milliseconds(value: number): void {
    const microseconds = Math.round(value * 1000)
    if (!(microseconds >= 0 && microseconds <= LARGEST)) {
      this.ascii(String(microseconds / 1000))
      return
    }
    const fraction = microseconds % 1000
    this.number((microseconds - fraction) / 1000)
    if (fraction === 0) return
    this.byte(DOT)
    if (fraction % 100 === 0) this.#digits(fraction / 100, 1)
    else if (fraction % 10 === 0) this.#digits(fraction / 10, 2)
    else this.#digits(fraction, 3)
  }

  /** A number that has at most this many digits, with zeros in front. */
  padded(value: number, digits: number): void {
    this.#digits(value, digits)
  }

  #digits(value: number, digits: number): void {
    this.#reserve(digits)
    let rest = value | 0
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      const tens = (rest / 10) | 0
      this.#bytes[at] = ZERO + rest - 10 * tens
      rest = tens
    }
    this.#length += digits
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(2 * (this.#length + bytes))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
