import type { Kernel } from '../kernel/kernel.ts'

/** Memory is taken from the system in slabs of this many chunks. */
const CHUNKS_PER_SLAB = 64
const NONE = -1

/**
 * Memory for bytes that a slow peer has not taken: fixed chunks, linked to one list for each direction, under a limit.
 * Chunks that were given back are used again first, so what a worker holds is what it once needed at its worst.
 */
export class ChunkPool {
  readonly chunkBytes: number
  readonly #kernel: Kernel
  /** Slabs are kept for ever: their addresses are handed to the kernel as numbers. */
  readonly #slabs: Uint8Array[] = []
  #addresses = new Float64Array(0)
  #next = new Int32Array(0)
  #firstFree = NONE
  #free = 0
  #limit: number

  constructor(kernel: Kernel, chunkBytes: number, limitBytes: number) {
    this.#kernel = kernel
    this.chunkBytes = chunkBytes
    this.#limit = chunksIn(limitBytes, chunkBytes)
  }

  /** Changes the limit. A lower one is reached as chunks are given back. */
  setLimit(limitBytes: number): void {
    this.#limit = chunksIn(limitBytes, this.chunkBytes)
  }

  /** Chunks in use. */
  get used(): number {
    return this.#slabs.length * CHUNKS_PER_SLAB - this.#free
  }

  /** Chunks that may still be taken. */
  get available(): number {
    return Math.max(0, this.#limit - this.used)
  }

  /** Whether less than an eighth of the limit is left. */
  get scarce(): boolean {
    return this.available < this.#limit / 8
  }

  /** Takes a chunk. Whoever takes has looked at {@link available}. */
  take(): number {
    if (this.#firstFree === NONE) this.#addSlab()
    const chunk = this.#firstFree
    this.#firstFree = this.#next[chunk]!
    this.#next[chunk] = NONE
    this.#free--
    return chunk
  }

  give(chunk: number): void {
    this.#next[chunk] = this.#firstFree
    this.#firstFree = chunk
    this.#free++
  }

  addressOf(chunk: number): number {
    return this.#addresses[chunk]!
  }

  /** The chunk after this one in its list; -1 at the end. */
  next(chunk: number): number {
    return this.#next[chunk]!
  }

  link(chunk: number, next: number): void {
    this.#next[chunk] = next
  }

  #addSlab(): void {
    const slab = Buffer.allocUnsafeSlow(CHUNKS_PER_SLAB * this.chunkBytes)
    const base = this.#kernel.addressOf(slab)
    const first = this.#slabs.length * CHUNKS_PER_SLAB
    this.#slabs.push(slab)
    const addresses = new Float64Array(first + CHUNKS_PER_SLAB)
    const next = new Int32Array(first + CHUNKS_PER_SLAB)
    addresses.set(this.#addresses)
    next.set(this.#next)
    this.#addresses = addresses
    this.#next = next
    for (let i = CHUNKS_PER_SLAB - 1; i >= 0; i--) {
      addresses[first + i] = base + i * this.chunkBytes
      this.give(first + i)
    }
  }
}

function chunksIn(limitBytes: number, chunkBytes: number): number {
  return Math.floor(limitBytes / chunkBytes)
}
