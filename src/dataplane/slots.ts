import { MAX_RECORDED_ATTEMPTS } from '../shared/access-record.ts'

/** Where a connection stands. LIFECYCLE.md tells the story. */
export const Phase = {
  /** The slot holds no connection. */
  free: 0,
  /** The client is accepted; a backend is being connected. */
  dialing: 1,
  /** Both sockets are joined and bytes move. */
  relaying: 2,
  /** No backend: the client was told so, and has a moment to read it. */
  lingering: 3,
} as const

/** What is known of one socket, in the bits of `Slots.flags`. */
export const Flag = {
  /** Bytes, an end or an error may wait to be read; no further edge comes for them. */
  readable: 1 << 0,
  /** A short read is not the end: read on until EAGAIN or the end of the stream. */
  toTheEnd: 1 << 1,
  /** Its stream has been read to the end. */
  ended: 1 << 2,
  /** It was told that nothing more comes: shutdown(SHUT_WR). */
  finished: 1 << 3,
  /** What was read from it waits for the other socket to take more. */
  blocked: 1 << 4,
  /** Writing to it failed: it is gone, though bytes that it sent before may still be read. */
  broken: 1 << 5,
  /** Its peer has taken whole reads: reads may be large. */
  large: 1 << 6,
  /** TCP_NODELAY is set on it: it is from the second write on, for the first one never waits. */
  undelayed: 1 << 7,
  /** Its FIN has come, and no urgent data: after a short read nothing follows but the end. */
  ending: 1 << 8,
  /** Much was written to it: congestion control was spared it where it could be. */
  unpaced: 1 << 9,
  /** Its connect(2) may have chosen the address that it connects to as its own. */
  mayMeetItself: 1 << 10,
  /** The connection has shown that its backend serves, by outliving early resets. */
  proven: 1 << 11,
} as const

/** Most backends tried for one connection. */
export const MAX_ATTEMPTS = 8

const INITIAL_CAPACITY = 1024

/**
 * Everything a worker knows of its connections, in typed arrays indexed by connection, or by side: side `2c` is the
 * client's socket of connection `c`, side `2c + 1` the backend's, and `side ^ 1` the other one. An idle connection
 * costs its places in these arrays and nothing else.
 *
 * ```
 *   connection   0         1         2
 *   side         0    1    2    3    4    5
 *                client    client    client
 *                     backend   backend   backend
 * ```
 */
export class Slots {
  /** Connections there is room for; grows by doubling up to `maximum`. */
  capacity = 0
  /** Connections that may ever be open at once. */
  readonly maximum: number
  /** Connections that are not free. */
  used = 0

  // By connection.
  phase = new Uint8Array(0)
  /** Index of the serving snapshot it was accepted under. */
  serving = new Int32Array(0)
  /** Index of its listener in that snapshot. */
  listener = new Int32Array(0)
  /** Row of its listener in the shared counters. */
  listenerRow = new Int32Array(0)
  /** Row of the backend at which it holds a place; -1 while there is none. */
  backendRow = new Int32Array(0)
  attempts = new Uint8Array(0)
  /** Rows of the backends tried, MAX_ATTEMPTS a connection. */
  triedIds = new Int32Array(0)
  /** Errno of the first MAX_RECORDED_ATTEMPTS attempts; 0: connected. */
  triedErrnos = new Uint16Array(0)
  /** Monotonic, ms. */
  acceptedAt = new Float64Array(0)
  /** Monotonic, ms; when the current attempt began. */
  dialedAt = new Float64Array(0)
  /** Monotonic, ms; NaN while there is no backend. */
  connectedAt = new Float64Array(0)
  /** Monotonic, ms; when a byte last moved. */
  activeAt = new Float64Array(0)
  /** Monotonic, ms; when an end was last passed on. Means something only where a side has Flag.finished. */
  halfClosedAt = new Float64Array(0)
  /** The client's sockaddr: family and port in the first word, then the address; 5 words a connection. */
  clientAddress = new Int32Array(0)
  /** The same, as bytes. */
  clientBytes = new Uint8Array(0)
  /** Side that ended its stream first: 0 none, 1 client, 2 backend. */
  firstEnd = new Uint8Array(0)
  /** Whether keep-alive is set on the backend's socket. */
  keptAlive = new Uint8Array(0)
  /** Why it ends, once that is decided and the client only lingers: code and errno. */
  cause = new Uint8Array(0)
  errno = new Uint16Array(0)

  // By side.
  /** Descriptor plus one; 0: none. Shared, so that main can close what a worker that threw has left. */
  readonly descriptor: Int32Array
  /** Advances whenever the side's socket changes; epoll carries it, so that an event of an earlier one is recognised. */
  tag = new Int32Array(0)
  flags = new Uint16Array(0)
  /** Whether the side stands in the run queue. */
  queued = new Uint8Array(0)
  /** Bytes read from this side that the other has not taken. */
  pendingBytes = new Int32Array(0)
  /** First and last chunk of them, and where in the first they begin. */
  pendingHead = new Int32Array(0)
  pendingTail = new Int32Array(0)
  pendingOffset = new Int32Array(0)
  /** Bytes read from this side and taken by the other. */
  delivered = new Float64Array(0)

  #nextFree = new Int32Array(0)
  #firstFree = -1
  readonly #onGrow: (capacity: number) => void

  /** `descriptors` is the worker's shared memory, two int32 a connection. */
  constructor(descriptors: SharedArrayBuffer, onGrow: (capacity: number) => void) {
    this.descriptor = new Int32Array(descriptors)
    this.maximum = this.descriptor.length / 2
    this.#onGrow = onGrow
    this.#grow(Math.min(INITIAL_CAPACITY, this.maximum))
  }

  /** The connection that {@link take} takes next, or -1 when all are in use. */
  next(): number {
    if (this.#firstFree < 0 && this.capacity < this.maximum) this.#grow(Math.min(2 * this.capacity, this.maximum))
    return this.#firstFree
  }

  /** Takes the connection that {@link next} named. Its fields are as after {@link free}. */
  take(): number {
    const connection = this.#firstFree
    this.#firstFree = this.#nextFree[connection]!
    this.used++
    return connection
  }

  /** Makes the slot free. Its sockets are closed and its pending bytes given back before. */
  free(connection: number): void {
    this.phase[connection] = Phase.free
    this.#resetSide(2 * connection)
    this.#resetSide(2 * connection + 1)
    this.#nextFree[connection] = this.#firstFree
    this.#firstFree = connection
    this.used--
  }

  #resetSide(side: number): void {
    this.flags[side] = 0
    this.pendingBytes[side] = 0
    this.pendingHead[side] = -1
    this.pendingTail[side] = -1
    this.pendingOffset[side] = 0
    this.delivered[side] = 0
  }

  #grow(capacity: number): void {
    const first = this.capacity
    this.phase = enlarge(this.phase, new Uint8Array(capacity))
    this.serving = enlarge(this.serving, new Int32Array(capacity))
    this.listener = enlarge(this.listener, new Int32Array(capacity))
    this.listenerRow = enlarge(this.listenerRow, new Int32Array(capacity))
    this.backendRow = enlarge(this.backendRow, new Int32Array(capacity))
    this.attempts = enlarge(this.attempts, new Uint8Array(capacity))
    this.triedIds = enlarge(this.triedIds, new Int32Array(capacity * MAX_ATTEMPTS))
    this.triedErrnos = enlarge(this.triedErrnos, new Uint16Array(capacity * MAX_RECORDED_ATTEMPTS))
    this.acceptedAt = enlarge(this.acceptedAt, new Float64Array(capacity))
    this.dialedAt = enlarge(this.dialedAt, new Float64Array(capacity))
    this.connectedAt = enlarge(this.connectedAt, new Float64Array(capacity))
    this.activeAt = enlarge(this.activeAt, new Float64Array(capacity))
    this.halfClosedAt = enlarge(this.halfClosedAt, new Float64Array(capacity))
    this.clientAddress = enlarge(this.clientAddress, new Int32Array(capacity * 5))
    this.clientBytes = new Uint8Array(this.clientAddress.buffer)
    this.firstEnd = enlarge(this.firstEnd, new Uint8Array(capacity))
    this.keptAlive = enlarge(this.keptAlive, new Uint8Array(capacity))
    this.cause = enlarge(this.cause, new Uint8Array(capacity))
    this.errno = enlarge(this.errno, new Uint16Array(capacity))
    this.#nextFree = enlarge(this.#nextFree, new Int32Array(capacity))
    this.#growSides(capacity * 2)
    for (let connection = capacity - 1; connection >= first; connection--) {
      this.#nextFree[connection] = this.#firstFree
      this.#firstFree = connection
    }
    this.capacity = capacity
    this.#onGrow(capacity)
  }

  #growSides(sides: number): void {
    this.tag = enlarge(this.tag, new Int32Array(sides))
    this.flags = enlarge(this.flags, new Uint16Array(sides))
    this.queued = enlarge(this.queued, new Uint8Array(sides))
    this.pendingBytes = enlarge(this.pendingBytes, new Int32Array(sides))
    this.pendingHead = enlarge(this.pendingHead, new Int32Array(sides).fill(-1))
    this.pendingTail = enlarge(this.pendingTail, new Int32Array(sides).fill(-1))
    this.pendingOffset = enlarge(this.pendingOffset, new Int32Array(sides))
    this.delivered = enlarge(this.delivered, new Float64Array(sides))
  }
}

function enlarge<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from)
  return to
}
