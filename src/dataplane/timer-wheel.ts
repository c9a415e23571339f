/** Buckets of the wheel: with ticks of 20 ms it turns once in 41 s. */
const BUCKETS = 2048
const NONE = -1

/**
 * One timer for each connection, on a hashed wheel of coarse ticks.
 *
 * A timer says when its connection is to be looked at, not that it is over: whoever looks computes the true deadline
 * and arms it again. So activity costs nothing here, and a deadline beyond one turn of the wheel, be it 24.8 days or
 * Infinity, is just looked at once a turn.
 *
 * ```
 *   bucket[tick % BUCKETS] → connection ⇄ connection ⇄ …      (doubly linked through next[] and previous[])
 * ```
 */
export class TimerWheel {
  readonly #tickMs: number
  readonly #heads = new Int32Array(BUCKETS).fill(NONE)
  #next: Int32Array
  #previous: Int32Array
  #bucket: Int32Array
  #dueTick: Float64Array
  #tick: number
  #armed = 0

  constructor(tickMs: number, nowMs: number, capacity: number) {
    this.#tickMs = tickMs
    this.#tick = Math.floor(nowMs / tickMs)
    this.#next = new Int32Array(capacity).fill(NONE)
    this.#previous = new Int32Array(capacity).fill(NONE)
    this.#bucket = new Int32Array(capacity).fill(NONE)
    this.#dueTick = new Float64Array(capacity)
  }

  /** Makes room for connections up to `capacity`. */
  grow(capacity: number): void {
    this.#next = enlarge(this.#next, capacity)
    this.#previous = enlarge(this.#previous, capacity)
    this.#bucket = enlarge(this.#bucket, capacity)
    const due = new Float64Array(capacity)
    due.set(this.#dueTick)
    this.#dueTick = due
  }

  /** How many timers are armed. */
  get armed(): number {
    return this.#armed
  }

  /** Arms the connection's timer, or moves it. It fires at the first tick that is not before `atMs`. */
  arm(connection: number, atMs: number): void {
    this.cancel(connection)
    const due = Math.max(this.#tick + 1, Math.min(Math.ceil(atMs / this.#tickMs), this.#tick + BUCKETS - 1))
    const bucket = due % BUCKETS
    const head = this.#heads[bucket]!
    this.#dueTick[connection] = due
    this.#bucket[connection] = bucket
    this.#next[connection] = head
    this.#previous[connection] = NONE
    if (head !== NONE) this.#previous[head] = connection
    this.#heads[bucket] = connection
    this.#armed++
  }

  /** Moves the timer only where `atMs` is earlier than what is armed. */
  armNoLaterThan(connection: number, atMs: number): void {
    if (this.#bucket[connection] === NONE || this.#dueTick[connection]! * this.#tickMs > atMs)
      this.arm(connection, atMs)
  }

  cancel(connection: number): void {
    const bucket = this.#bucket[connection]!
    if (bucket === NONE) return
    const next = this.#next[connection]!
    const previous = this.#previous[connection]!
    if (previous === NONE) this.#heads[bucket] = next
    else this.#next[previous] = next
    if (next !== NONE) this.#previous[next] = previous
    this.#bucket[connection] = NONE
    this.#armed--
  }

  /** Fires every timer whose tick has come; each is disarmed before `onDue` is told, which may arm it again. */
  advance(nowMs: number, onDue: (connection: number) => void): void {
    const target = Math.floor(nowMs / this.#tickMs)
    // After a long stop one turn of the wheel visits every bucket; more would find nothing.
    if (target - this.#tick > BUCKETS) this.#tick = target - BUCKETS
    while (this.#tick < target) {
      this.#tick++
      if (this.#armed === 0) {
        this.#tick = target
        return
      }
      this.#fire(this.#tick % BUCKETS, onDue)
    }
  }

  #fire(bucket: number, onDue: (connection: number) => void): void {
    // What is armed meanwhile lands in a later bucket, since `arm` never uses the current tick.
    for (let connection = this.#heads[bucket]!; connection !== NONE; connection = this.#heads[bucket]!) {
      this.cancel(connection)
      onDue(connection)
    }
  }

  /** Milliseconds until the next bucket that holds a timer, at most `limitMs`; a whole number, rounded up. */
  sleepMs(nowMs: number, limitMs: number): number {
    if (this.#armed === 0) return limitMs
    const ticks = Math.ceil(limitMs / this.#tickMs)
    for (let ahead = 1; ahead <= ticks; ahead++) {
      if (this.#heads[(this.#tick + ahead) % BUCKETS] === NONE) continue
      return Math.max(0, Math.min(limitMs, Math.ceil((this.#tick + ahead) * this.#tickMs - nowMs)))
    }
    return limitMs
  }
}

function enlarge(array: Int32Array, capacity: number): Int32Array {
  const larger = new Int32Array(capacity).fill(NONE)
  larger.set(array)
  return larger
}
