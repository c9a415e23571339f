import { IPPROTO_TCP, MSG_MORE, MSG_PEEK, SHUT_WR, TCP_NODELAY } from '../kernel/constants.ts'
import { Errno } from '../kernel/errno.ts'
import { CauseCode } from '../model/cause.ts'
import { BackendCounter, ListenerCounter } from '../shared/worker-counters.ts'
import type { Closer } from './closer.ts'
import type { Core } from './core.ts'
import type { Outcomes } from './outcomes.ts'
import { Flag } from './slots.ts'

const { EAGAIN, EINTR, ECONNRESET, EPIPE } = Errno

/** {@link Relay.pump} may end the connection; then nothing of it may be touched any more. */
const ENDED = -1

/**
 * Moves bytes between the two sockets of a connection.
 *
 * Bytes are read into one scratch buffer and written at once. What the other side does not take waits in chunks, and
 * reading stops until it has drained; so a stalled connection holds one read at most. Where the worker's memory for
 * that is used up, bytes are peeked and only what was taken is read: slower by a system call, but it needs no memory,
 * so that clients who never read cannot starve the others.
 */
export class Relay {
  readonly #core: Core
  readonly #closer: Closer
  readonly #outcomes: Outcomes

  constructor(core: Core, closer: Closer, outcomes: Outcomes) {
    this.#core = core
    this.#closer = closer
    this.#outcomes = outcomes
  }

  /** Moves what side `from` has for the other one, until it has no more, the other takes no more, or its turn is over. */
  pump(from: number): void {
    const { slots, tuning } = this.#core
    let budget = tuning.bytesPerTurn
    for (;;) {
      const flags = slots.flags[from]!
      if ((flags & Flag.blocked) !== 0 || (slots.flags[from ^ 1]! & Flag.broken) !== 0) return
      if (slots.pendingBytes[from]! > 0) {
        if (!this.#flush(from)) return
        continue
      }
      if ((flags & Flag.ended) !== 0) {
        this.#passEnd(from)
        return
      }
      if ((flags & Flag.readable) === 0) return
      if (budget <= 0) {
        this.#core.runLater(from)
        return
      }
      const moved = this.#move(from)
      if (moved < 0) return
      budget -= moved
    }
  }

  /** The other side may have room again: goes on with what waited for it. */
  unblock(from: number): void {
    this.#core.slots.flags[from]! &= ~Flag.blocked
    this.pump(from)
  }

  /** One read and the write of what it brought. Returns the bytes read, or ENDED when the connection is gone. */
  #move(from: number): number {
    const core = this.#core
    const { kernel, slots, pool } = core
    const wanted = this.#readSize(from)
    const peek = pool.available * pool.chunkBytes < wanted
    const got = kernel.recv(core.fd(from), core.scratchAt, wanted, peek ? MSG_PEEK : 0)
    if (got === 0) return peek ? this.#readEnd(from) : this.#noteEnd(from)
    if (got < 0) return this.#readFailed(from, -got)
    slots.activeAt[from >> 1] = core.nowMs
    const taken = this.#send(from, core.scratchAt, got, this.#isLast(from, got, wanted) ? MSG_MORE : 0)
    if (taken === ENDED) return ENDED
    if (peek && !this.#discard(from, taken)) return ENDED
    if (taken < got) {
      slots.flags[from]! &= ~Flag.large
      if (!peek) this.#keep(from, core.scratchAt + taken, got - taken)
      this.#block(from)
      return got
    }
    this.#afterFullWrite(from, got, wanted)
    return got
  }

  /** Everything was taken: a short read has emptied the socket, a full one shows that larger reads pay. */
  #afterFullWrite(from: number, got: number, wanted: number): void {
    const { slots } = this.#core
    if (got === wanted) this.#noteLarge(from)
    else if ((slots.flags[from]! & Flag.toTheEnd) === 0) slots.flags[from]! &= ~Flag.readable
  }

  /**
   * Reads from `from` may be large from here on. On the way to a peer on this machine there is nothing that congestion
   * control could find out, and one that paces, as BBR does, only keeps a large stream waiting.
   */
  #noteLarge(from: number): void {
    const { slots, kernel } = this.#core
    slots.flags[from]! |= Flag.large
    const to = from ^ 1
    if ((slots.flags[to]! & Flag.unpaced) !== 0) return
    slots.flags[to]! |= Flag.unpaced
    kernel.sendUnpacedOnLoopback(this.#core.fd(to))
  }

  /** Whether nothing but the end follows these bytes. Then they wait for the FIN, to go in one packet with it. */
  #isLast(from: number, got: number, wanted: number): boolean {
    return got < wanted && (this.#core.slots.flags[from]! & (Flag.ending | Flag.broken)) === Flag.ending
  }

  #readSize(from: number): number {
    const { slots, pool, tuning } = this.#core
    if (pool.scarce) return tuning.scarceReadBytes
    return (slots.flags[from]! & Flag.large) !== 0 ? tuning.largeReadBytes : tuning.readBytes
  }

  /**
   * Writes to the other side of `from`. Returns how many bytes it took, 0 included; or ENDED.
   */
  #send(from: number, at: number, length: number, flags: number): number {
    const core = this.#core
    const to = from ^ 1
    if ((to & 1) === 1 && core.slots.delivered[from]! > 0) this.#sendWithoutDelay(to)
    let result = core.kernel.send(core.fd(to), at, length, flags)
    while (result === -EINTR) result = core.kernel.send(core.fd(to), at, length, flags)
    if (result >= 0) {
      this.#countDelivered(from, result)
      return result
    }
    if (result === -EAGAIN) return 0
    this.#writeFailed(from, -result)
    return ENDED
  }

  /**
   * Sets TCP_NODELAY on a backend's socket, once. Nagle's algorithm holds a small write back only while an earlier one
   * is not acknowledged, so the first needs no call, and many connections write once. The client's socket has it from
   * the listening one.
   */
  #sendWithoutDelay(to: number): void {
    const { slots, kernel } = this.#core
    if ((slots.flags[to]! & Flag.undelayed) !== 0) return
    slots.flags[to]! |= Flag.undelayed
    kernel.setOption(this.#core.fd(to), IPPROTO_TCP, TCP_NODELAY, 1)
  }

  #countDelivered(from: number, bytes: number): void {
    const { slots, counters, nowMs } = this.#core
    const connection = from >> 1
    if ((from & 1) === 1 && slots.delivered[from] === 0) this.#outcomes.noteAnswer(from >> 1)
    slots.delivered[from]! += bytes
    slots.activeAt[connection] = nowMs
    const up = (from & 1) === 0
    counters.addListener(
      slots.listenerRow[connection]!,
      up ? ListenerCounter.bytesUp : ListenerCounter.bytesDown,
      bytes,
    )
    counters.addBackend(slots.backendRow[connection]!, up ? BackendCounter.bytesUp : BackendCounter.bytesDown, bytes)
  }

  /** Waits until the other side takes more. Epoll is asked to look again, since room may have come meanwhile. */
  #block(from: number): void {
    this.#core.slots.flags[from]! |= Flag.blocked
    this.#core.rearm(from ^ 1)
  }

  /** Copies bytes that were read and not taken into chunks. Whoever read has seen to it that there are enough. */
  #keep(from: number, at: number, length: number): void {
    const { slots, pool, kernel } = this.#core
    slots.pendingBytes[from] = length
    slots.pendingOffset[from] = 0
    for (let done = 0; done < length; done += pool.chunkBytes) {
      const chunk = pool.take()
      kernel.copy(pool.addressOf(chunk), at + done, Math.min(pool.chunkBytes, length - done))
      if (done === 0) slots.pendingHead[from] = chunk
      else pool.link(slots.pendingTail[from]!, chunk)
      slots.pendingTail[from] = chunk
    }
  }

  /** Writes what waits. Returns true when all of it is gone. */
  #flush(from: number): boolean {
    const { slots, pool } = this.#core
    while (slots.pendingBytes[from]! > 0) {
      const chunk = slots.pendingHead[from]!
      const offset = slots.pendingOffset[from]!
      const length = Math.min(pool.chunkBytes - offset, slots.pendingBytes[from]!)
      const taken = this.#send(from, pool.addressOf(chunk) + offset, length, 0)
      if (taken === ENDED) return false
      slots.pendingBytes[from]! -= taken
      slots.pendingOffset[from]! += taken
      if (taken < length) {
        this.#block(from)
        return false
      }
      this.#dropChunk(from, chunk)
    }
    return true
  }

  #dropChunk(from: number, chunk: number): void {
    const { slots, pool } = this.#core
    slots.pendingHead[from] = pool.next(chunk)
    slots.pendingOffset[from] = 0
    if (slots.pendingHead[from]! < 0) slots.pendingTail[from] = -1
    pool.give(chunk)
  }

  /** Takes bytes that were peeked, and that the other side has, out of the socket. False when the connection ended. */
  #discard(from: number, bytes: number): boolean {
    const core = this.#core
    let left = bytes
    while (left > 0) {
      const got = core.kernel.recv(core.fd(from), core.scratchAt, left, 0)
      if (got > 0) left -= got
      else if (got !== -EINTR) {
        // The kernel showed these bytes and now withholds them: to go on would send them twice.
        this.#closer.end(from >> 1, CauseCode.internalError, -got, true)
        return false
      }
    }
    return true
  }

  #readFailed(from: number, errno: number): number {
    if (errno === EINTR) return 0
    const { slots } = this.#core
    // Writing to it failed, and yet it is not gone: bytes that were meant for it are lost, so it must not go on.
    if (errno === EAGAIN && (slots.flags[from]! & Flag.broken) !== 0) {
      this.#endByError(from, slots.errno[from >> 1]!)
      return ENDED
    }
    if (errno === EAGAIN) {
      slots.flags[from]! &= ~(Flag.readable | Flag.toTheEnd)
      this.#core.rearm(from)
      return 0
    }
    this.#endByError(from, errno)
    return ENDED
  }

  /**
   * A peek has met the end of the stream. An urgent byte before the end is passed over by that and stays in the socket,
   * and a socket that is closed with something unread resets its peer: a read takes it out.
   */
  #readEnd(from: number): number {
    const core = this.#core
    const got = core.kernel.recv(core.fd(from), core.scratchAt, 1, 0)
    if (got === 0) return this.#noteEnd(from)
    if (got < 0) return this.#readFailed(from, -got)
    // Bytes after the end: the kernel contradicts itself.
    this.#closer.end(from >> 1, CauseCode.internalError, 0, true)
    return ENDED
  }

  /** `from` has ended its stream. Returns 0, so that the pump goes on and passes it. */
  #noteEnd(from: number): number {
    const { slots } = this.#core
    if ((slots.flags[from]! & Flag.broken) !== 0) {
      this.#endByError(from, slots.errno[from >> 1]!)
      return ENDED
    }
    slots.flags[from]! |= Flag.ended
    return 0
  }

  /**
   * An event says that `side` is gone. What it sent before is still delivered. A read does not always tell of it: where
   * a FIN came before the reset, recv(2) says 0 for ever.
   */
  noteGone(side: number): void {
    const { slots } = this.#core
    // The other side was gone before: what it had sent can be delivered no more, and no further event will come.
    if ((slots.flags[side ^ 1]! & Flag.broken) !== 0) {
      this.#endByError(side ^ 1, slots.errno[side >> 1]!)
      return
    }
    slots.flags[side]! |= Flag.broken | Flag.readable | Flag.toTheEnd
    slots.errno[side >> 1] = ECONNRESET
    this.#closer.dropPending(side ^ 1)
    this.pump(side)
  }

  /** Everything that `from` sent has been taken: tells the other side that nothing more comes. */
  #passEnd(from: number): void {
    const core = this.#core
    const { slots } = core
    const connection = from >> 1
    const to = from ^ 1
    if ((slots.flags[from]! & Flag.broken) !== 0) {
      this.#endByError(from, slots.errno[connection]!)
      return
    }
    if ((slots.flags[to]! & Flag.finished) !== 0) return
    if (slots.firstEnd[connection] === 0) slots.firstEnd[connection] = (from & 1) + 1
    if ((slots.flags[to]! & Flag.ended) !== 0 && slots.pendingBytes[to] === 0) {
      const clientFirst = slots.firstEnd[connection] === 1
      if (clientFirst) this.#outcomes.noteOrderlyEnd(connection)
      this.#closer.end(connection, clientFirst ? CauseCode.clientClosed : CauseCode.backendClosed, 0, false)
      return
    }
    slots.flags[to]! |= Flag.finished
    slots.halfClosedAt[connection] = core.nowMs
    core.kernel.shutdown(core.fd(to), SHUT_WR)
    const listener = core.listenerOf(connection)
    core.timers.armNoLaterThan(connection, core.nowMs + Math.min(listener.halfClosedTimeoutMs, listener.idleTimeoutMs))
  }

  /**
   * The other side of `from` cannot be written to: it is gone. What it sent before is still delivered, then the reset
   * is passed on; what was meant for it is lost.
   */
  #writeFailed(from: number, errno: number): void {
    const { slots } = this.#core
    const gone = from ^ 1
    const nothingMoreComes = (slots.flags[gone]! & (Flag.ended | Flag.broken)) !== 0
    if (nothingMoreComes || (slots.flags[from]! & Flag.broken) !== 0) {
      this.#endByError(gone, errno)
      return
    }
    slots.errno[from >> 1] = errno
    this.#closer.dropPending(from)
    slots.flags[from]! |= Flag.blocked
    slots.flags[from]! &= ~Flag.readable
    slots.flags[gone]! |= Flag.broken | Flag.readable | Flag.toTheEnd
    this.pump(gone)
  }

  /** Ends the connection because of an error on `side`'s socket. The other side sees a reset. */
  #endByError(side: number, errno: number): void {
    const isClient = (side & 1) === 0
    const isReset = errno === ECONNRESET || errno === EPIPE
    const cause = isClient
      ? isReset
        ? CauseCode.clientReset
        : CauseCode.clientError
      : isReset
        ? CauseCode.backendReset
        : CauseCode.backendError
    if (!isClient && isReset) this.#outcomes.noteReset(side >> 1, errno)
    this.#closer.end(side >> 1, cause, errno, true)
  }
}
