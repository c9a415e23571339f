/**
 * 64-bit counters with one writer and many readers, in shared memory.
 *
 * Each counter is two Uint32 halves. An increment that does not carry is one store. A carry changes both halves, so it
 * is fenced by a sequence word that is odd meanwhile; readers read again when it was odd or has moved. BigInt atomics
 * would allocate, and a Float64 may be read half written.
 *
 * ```
 *   word 0     sequence of carries
 *   word 2     counter 0, low half
 *   word 3     counter 0, high half
 *   …
 * ```
 */
export class CounterPage {
  readonly #words: Int32Array

  /** Bytes of shared memory for `counters` counters. */
  static bytes(counters: number): number {
    return 4 * (2 + 2 * counters)
  }

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
  }

  /** Adds `amount`, a whole number from 0 to 2^32 - 1. Only the page's one writer may call it. */
  add(counter: number, amount: number): void {
    const words = this.#words
    const at = 2 + 2 * counter
    const sum = (words[at]! >>> 0) + amount
    if (sum <= 0xffff_ffff) {
      words[at] = sum | 0
      return
    }
    Atomics.add(words, 0, 1)
    Atomics.store(words, at, sum - 0x1_0000_0000)
    Atomics.add(words, at + 1, 1)
    Atomics.add(words, 0, 1)
  }

  /** The counter's value; exact up to 2^53. */
  read(counter: number): number {
    const words = this.#words
    const at = 2 + 2 * counter
    for (;;) {
      const before = Atomics.load(words, 0)
      const high = Atomics.load(words, at + 1) >>> 0
      const low = Atomics.load(words, at) >>> 0
      if ((before & 1) === 0 && Atomics.load(words, 0) === before) return high * 0x1_0000_0000 + low
    }
  }

  /** Sets a counter to zero, when its row passes to a new owner and no writer knows it. */
  clear(counter: number): void {
    Atomics.store(this.#words, 2 + 2 * counter, 0)
    Atomics.store(this.#words, 3 + 2 * counter, 0)
  }

  /** Ends a carry that a writer, who threw, left open. Only while the page has no writer. */
  repair(): void {
    if ((Atomics.load(this.#words, 0) & 1) === 1) Atomics.add(this.#words, 0, 1)
  }
}
