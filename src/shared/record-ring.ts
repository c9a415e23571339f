import { ACCESS_RECORD_BYTES } from './access-record.ts'

/** Records a ring holds; a reader that comes every 50 ms keeps up with 160,000 a second. */
const RING_RECORDS = 8192
const HEADER_BYTES = 128
const HEAD = 0
const TAIL = 1
const DROPPED = 2
const WORDS_PER_RECORD = ACCESS_RECORD_BYTES / 4

/** Bytes of shared memory for one ring. */
export const RECORD_RING_BYTES = HEADER_BYTES + RING_RECORDS * ACCESS_RECORD_BYTES

/**
 * Access records on their way from one worker to main: one writer, one reader, no lock, no message. A full ring drops
 * the record and counts it. It outlives its worker, so the records of one that threw are still read.
 *
 * ```
 *   | head tail dropped | record | record | …           RING_RECORDS of them
 *       │    └ next to read, modulo 2^32; the reader's
 *       └ next to write, modulo 2^32; the writer's
 * ```
 */
export class RecordRing {
  readonly #cells: Int32Array
  readonly #view: DataView
  /** The same memory, for a writer that fills a record by words. */
  readonly words: Uint32Array
  readonly floats: Float64Array

  constructor(memory: SharedArrayBuffer) {
    this.#cells = new Int32Array(memory, 0, HEADER_BYTES / 4)
    this.words = new Uint32Array(memory)
    this.floats = new Float64Array(memory)
    this.#view = new DataView(memory)
  }

  /** Word index of the record to fill next, or -1 when the ring is full: then the record is counted as dropped. */
  reserve(): number {
    const head = this.#cells[HEAD]!
    const used = (head - Atomics.load(this.#cells, TAIL)) | 0
    if (used >= RING_RECORDS) {
      Atomics.add(this.#cells, DROPPED, 1)
      return -1
    }
    return HEADER_BYTES / 4 + ((head >>> 0) % RING_RECORDS) * WORDS_PER_RECORD
  }

  /** Hands the record that was reserved and filled to the reader. */
  publish(): void {
    Atomics.store(this.#cells, HEAD, (this.#cells[HEAD]! + 1) | 0)
  }

  /** Gives at most `limit` records to `onRecord`, oldest first, and returns how many. The view is valid meanwhile. */
  drain(onRecord: (view: DataView, offset: number) => void, limit = RING_RECORDS): number {
    const head = Atomics.load(this.#cells, HEAD)
    let tail = this.#cells[TAIL]!
    let count = 0
    for (; tail !== head && count < limit; count++) {
      onRecord(this.#view, HEADER_BYTES + ((tail >>> 0) % RING_RECORDS) * ACCESS_RECORD_BYTES)
      tail = (tail + 1) | 0
    }
    Atomics.store(this.#cells, TAIL, tail)
    return count
  }

  /** Records that found the ring full, modulo 2^32. */
  dropped(): number {
    return Atomics.load(this.#cells, DROPPED) >>> 0
  }
}
