import { ClientKey } from './client-key.ts'
import { keyedHash } from './keyed-hash.ts'

/** The locker id of main; that of worker n is n + 2. */
export const MAIN_LOCKER = 1

export function workerLocker(workerId: number): number {
  return workerId + 2
}

/** Clients a table may be made for. */
export const MAX_CLIENTS = 1_048_576

const SECRET_BYTES = 8

const HEADER_WORDS = 16
const BUCKET_MASK = 0
const CAPACITY = 1
const SECRET = 2

const SLOTS = 8
const SLOT_WORDS = 16
const SLOTS_START = 16
const BUCKET_WORDS = SLOTS_START + SLOTS * SLOT_WORDS
const LOCK = 0
const TAGS = 4

const KEY_WORDS = 5
const ROW = 5
const INCARNATION = 6
const LAST_USE = 8

/** Looks at a lock that is held before the call does without; whoever holds it needs a fraction of that. */
const MAX_SPINS = 200

/** A client and its backend. */
export interface ClientEntry {
  readonly key: ClientKey
  /** Of the backend. */
  readonly row: number
  /** Whose row it was. */
  readonly incarnation: number
  /** Monotonic ms. */
  readonly lastUseMs: number
}

/**
 * Memory for a table of `capacity` clients, 1 to {@link MAX_CLIENTS}; it has twice as many slots, so that few buckets
 * overflow before it is full. 144 to 288 bytes of address space a client; pages that nobody touches cost nothing.
 * `secret` is 8 random bytes. Throws a RangeError for other sizes: the configuration refuses them before.
 */
export function createClientTableMemory(secret: Uint8Array, capacity: number): SharedArrayBuffer {
  if (!(capacity >= 1 && capacity <= MAX_CLIENTS))
    throw new RangeError(`A client table cannot hold ${capacity} clients`)
  if (secret.length !== SECRET_BYTES) throw new RangeError(`A client table's secret has ${SECRET_BYTES} bytes`)
  const buckets = 2 ** Math.ceil(Math.log2(Math.max(1, (2 * capacity) / SLOTS)))
  const memory = new SharedArrayBuffer(4 * (HEADER_WORDS + buckets * BUCKET_WORDS))
  const words = new Int32Array(memory)
  words[BUCKET_MASK] = buckets - 1
  words[CAPACITY] = capacity
  new Uint8Array(memory).set(secret, 4 * SECRET)
  return memory
}

/**
 * Which backend each client had, as all threads see it. Bounded: a bucket that is full forgets the client that it has
 * not seen for longest. A bucket is read and written by one thread at a time; a thread that finds it held for too long
 * does without: stickiness is a preference, so a miss is fine, and a wrong answer is not.
 *
 * ```
 *   memory  [ mask · capacity · secret × 2 | bucket | bucket | … ]
 *
 *   bucket  [ lock · – – – · tag × 8 · – – – – | slot × 8 ]      64 bytes, then 8 × 64
 *               │             └ hash of the slot's key; 0: empty
 *               └ locker that holds it; 0: free
 *
 *   slot    [ upstream row · address × 4 · backend row · incarnation · – | last use f64 · – – – – – – ]
 * ```
 *
 * Nine words of a slot are in use. The rest is for what else is kept for a client (a GCRA time as f64 at 10, open
 * connections at 7, the slot's sequence at 12); a slot with open connections is then one that `#place` must not take.
 *
 * Times are those of one clock that all threads share, such as CLOCK_MONOTONIC; `performance.now()` is none.
 */
export class ClientTable {
  readonly #words: Int32Array
  readonly #times: Float64Array
  readonly #mask: number
  readonly #secret0: number
  readonly #secret1: number
  readonly #lockerId: number
  readonly #scratch = new Int32Array(BUCKET_WORDS)
  readonly #scratchTimes = new Float64Array(this.#scratch.buffer)
  #tag = 0

  /** Of the backend that {@link find} found. */
  row = -1
  incarnation = 0

  /** `lockerId` is above 0, and of this thread alone. */
  constructor(memory: SharedArrayBuffer, lockerId: number) {
    this.#words = new Int32Array(memory)
    this.#times = new Float64Array(memory)
    this.#mask = this.#words[BUCKET_MASK]!
    this.#secret0 = this.#words[SECRET]!
    this.#secret1 = this.#words[SECRET + 1]!
    this.#lockerId = lockerId
  }

  /** Clients that it was made for. */
  get capacity(): number {
    return this.#words[CAPACITY]!
  }

  get buckets(): number {
    return this.#mask + 1
  }

  /** Whether the client had a backend within the last `ttlMs`: then `row` and `incarnation` name it. */
  find(key: ClientKey, nowMs: number, ttlMs: number): boolean {
    const bucket = this.#bucketOf(key)
    if (!this.#lock(bucket)) return false
    const slot = this.#slotOf(bucket, key)
    const isKnown = slot >= 0 && nowMs - this.#times[(slot + LAST_USE) >> 1]! < ttlMs
    if (isKnown) {
      this.row = this.#words[slot + ROW]!
      this.incarnation = this.#words[slot + INCARNATION]!
    }
    this.#unlock(bucket)
    return isKnown
  }

  /** Puts the client on a backend, or keeps it there for another ttl. False where the bucket was held for too long. */
  remember(key: ClientKey, row: number, incarnation: number, nowMs: number): boolean {
    const bucket = this.#bucketOf(key)
    if (!this.#lock(bucket)) return false
    const known = this.#slotOf(bucket, key)
    const slot = known >= 0 ? known : this.#place(bucket, key, Number.POSITIVE_INFINITY)
    this.#fill(slot, row, incarnation, nowMs)
    this.#unlock(bucket)
    return true
  }

  /**
   * Brings back a client from an earlier life, last seen at `lastUseMs`, which may lie before the clock's start. One
   * that is known here keeps its backend, and nobody who was seen later makes room. False where it did not go in.
   */
  restore(key: ClientKey, row: number, incarnation: number, lastUseMs: number): boolean {
    const bucket = this.#bucketOf(key)
    if (!this.#lock(bucket)) return false
    const slot = this.#slotOf(bucket, key) >= 0 ? -1 : this.#place(bucket, key, lastUseMs)
    if (slot >= 0) this.#fill(slot, row, incarnation, lastUseMs)
    this.#unlock(bucket)
    return slot >= 0
  }

  /**
   * Shows `visit` every client of `count` buckets from `from` on, with no lock held. False where a bucket was held for
   * too long, and left out.
   */
  scan(from: number, count: number, visit: (entry: ClientEntry) => void): boolean {
    const end = Math.min(from + count, this.buckets)
    let isComplete = true
    for (let n = from; n < end; n++) {
      const bucket = HEADER_WORDS + n * BUCKET_WORDS
      if (this.#isEmpty(bucket)) continue
      if (this.#copy(bucket)) this.#visitCopy(visit)
      else isComplete = false
    }
    return isComplete
  }

  /** Forgets the clients of an upstream whose row is given to another. False where a bucket was held for too long. */
  forgetUpstream(upstreamRow: number): boolean {
    let isComplete = true
    for (let n = 0; n < this.buckets; n++) {
      const bucket = HEADER_WORDS + n * BUCKET_WORDS
      if (this.#isEmpty(bucket)) continue
      if (!this.#lock(bucket)) {
        isComplete = false
        continue
      }
      for (let i = 0; i < SLOTS; i++) {
        if (this.#words[slotAt(bucket, i)] === upstreamRow) this.#words[bucket + TAGS + i] = 0
      }
      this.#unlock(bucket)
    }
    return isComplete
  }

  /**
   * Frees what a thread held that is gone; what it may have left half written is forgotten. Its id must not be given
   * to another thread before. Returns how many buckets it held.
   */
  release(lockerId: number): number {
    let released = 0
    for (let n = 0; n < this.buckets; n++) {
      const bucket = HEADER_WORDS + n * BUCKET_WORDS
      if (Atomics.load(this.#words, bucket + LOCK) !== lockerId) continue
      for (let i = 0; i < SLOTS; i++) this.#words[bucket + TAGS + i] = 0
      this.#unlock(bucket)
      released++
    }
    return released
  }

  #bucketOf(key: ClientKey): number {
    const hash = keyedHash(key.words, KEY_WORDS, this.#secret0, this.#secret1)
    this.#tag = hash === 0 ? 1 : hash
    return HEADER_WORDS + (hash & this.#mask) * BUCKET_WORDS
  }

  #lock(bucket: number): boolean {
    for (let spin = 0; spin < MAX_SPINS; spin++) {
      if (Atomics.load(this.#words, bucket + LOCK) !== 0) continue
      if (Atomics.compareExchange(this.#words, bucket + LOCK, 0, this.#lockerId) === 0) return true
    }
    return false
  }

  #unlock(bucket: number): void {
    Atomics.store(this.#words, bucket + LOCK, 0)
  }

  /** Where the key's slot starts; -1 where it has none. */
  #slotOf(bucket: number, key: ClientKey): number {
    const words = this.#words
    for (let i = 0; i < SLOTS; i++) {
      if (words[bucket + TAGS + i] !== this.#tag) continue
      const slot = slotAt(bucket, i)
      if (hasKey(words, slot, key.words)) return slot
    }
    return -1
  }

  /** Gives the key an empty slot, or that of the client not seen for longest, if that was before `beforeMs`; else -1. */
  #place(bucket: number, key: ClientKey, beforeMs: number): number {
    const words = this.#words
    let chosen = -1
    let oldestMs = beforeMs
    for (let i = 0; i < SLOTS; i++) {
      const isEmpty = words[bucket + TAGS + i] === 0
      const lastUseMs = isEmpty ? Number.NEGATIVE_INFINITY : this.#times[(slotAt(bucket, i) + LAST_USE) >> 1]!
      if (lastUseMs >= oldestMs) continue
      chosen = i
      oldestMs = lastUseMs
    }
    if (chosen < 0) return -1
    const slot = slotAt(bucket, chosen)
    for (let i = 0; i < KEY_WORDS; i++) words[slot + i] = key.words[i]!
    words[bucket + TAGS + chosen] = this.#tag
    return slot
  }

  #fill(slot: number, row: number, incarnation: number, lastUseMs: number): void {
    this.#words[slot + ROW] = row
    this.#words[slot + INCARNATION] = incarnation
    this.#times[(slot + LAST_USE) >> 1] = lastUseMs
  }

  /** Looked at without the lock: taking it would touch the pages of a table that is mostly unused. */
  #isEmpty(bucket: number): boolean {
    if (Atomics.load(this.#words, bucket + LOCK) !== 0) return false
    for (let i = 0; i < SLOTS; i++) if (this.#words[bucket + TAGS + i] !== 0) return false
    return true
  }

  #copy(bucket: number): boolean {
    if (!this.#lock(bucket)) return false
    for (let i = 0; i < BUCKET_WORDS; i++) this.#scratch[i] = this.#words[bucket + i]!
    this.#unlock(bucket)
    return true
  }

  #visitCopy(visit: (entry: ClientEntry) => void): void {
    const words = this.#scratch
    for (let i = 0; i < SLOTS; i++) {
      if (words[TAGS + i] === 0) continue
      const slot = slotAt(0, i)
      const key = new ClientKey()
      key.words.set(words.subarray(slot, slot + KEY_WORDS))
      const lastUseMs = this.#scratchTimes[(slot + LAST_USE) >> 1]!
      visit({ key, row: words[slot + ROW]!, incarnation: words[slot + INCARNATION]!, lastUseMs })
    }
  }
}

function slotAt(bucket: number, index: number): number {
  return bucket + SLOTS_START + index * SLOT_WORDS
}

function hasKey(words: Int32Array, slot: number, key: Int32Array): boolean {
  for (let i = 0; i < KEY_WORDS; i++) if (words[slot + i] !== key[i]) return false
  return true
}
