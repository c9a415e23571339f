import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from '#src/kernel/constants.js'
import { Errno } from '#src/kernel/errno.js'
import type { Hostility } from './adversary.ts'
import type { Random } from './random.ts'
import { SimFile } from './sim-file.ts'
import type { Timed, Timeline } from './timeline.ts'

/** The other end of a socket: a client or a backend of the schedule. */
export interface Remote {
  readonly label: string
  /** Number of the byte stream that it writes. */
  readonly stream: number
  /** It closed its socket: bytes sent to it are answered with a reset. */
  readonly closed: boolean
  /** The proxy took bytes, so there is room for more. */
  onRoom(): void
  /** Bytes or the end of the stream came. */
  onBytes(): void
  onReset(): void
}

/** What a socket needs of the machine that it is on. */
export interface Host {
  readonly random: Random
  readonly hostility: Hostility
  readonly timeline: Timeline
  nowMs(): number
  trace(line: string): void
  readonly tracing: boolean
}

export const SocketEvent = { arrive: 0, space: 1, connected: 2, refused: 3, reset: 4, lost: 5 } as const

type Phase = 'fresh' | 'connecting' | 'open' | 'dead'

/**
 * One of the proxy's TCP sockets, with the semantics of Linux's net/ipv4/tcp.c: what poll(2) says, which wakeups there
 * are, in what order data, end and error are read. Bytes are counts; which bytes they are is a function of stream and
 * position.
 *
 * ```
 *   remote writes →  | consumed | readable … arrived | on their way … written |   (receiveRoom bounds written − consumed)
 *   proxy sends   →  | taken    | in the send buffer … sent |                      (sendRoom bounds sent − taken)
 * ```
 */
export class SimSocket extends SimFile implements Timed {
  readonly #host: Host
  readonly label: string
  readonly sendRoom: number
  readonly receiveRoom: number
  phase: Phase = 'fresh'
  remote: Remote | null = null
  written = 0
  arrived = 0
  consumed = 0
  sent = 0
  taken = 0
  /** The remote's FIN has been sent, has come, has been read as 0. */
  endWritten = false
  endArrived = false
  endRead = false
  /** sk_shutdown's two bits. */
  receiveShut = false
  sendShut = false
  /** Bytes at the end of the send buffer that MSG_MORE holds back. */
  withheld = 0
  /** sk_err: the next call that looks takes it. */
  error = 0
  /** What `refused` and `lost` will say. */
  pendingError = 0
  /** SOCK_NOSPACE: the writer found no room, so that it is told of room. */
  noSpace = false
  linger = false
  /** close(2) was called. */
  closed = false
  /** The remote was told of a reset that the proxy sent. */
  resetSent = false
  /** The kernel or the network failed it, so that less is asked of the proxy. */
  faulted = false
  /** A FIN was sent: by shutdown(2), or by a close(2) that was no reset. */
  endSent = false
  /** When a call of the proxy last moved bytes. */
  movedAtMs = 0
  openedAtMs = 0
  closedAtMs = Number.NaN
  /** Which bytes the last recv(2) gave. */
  lastReadFrom = 0
  lastReadCount = 0
  /** The socket that the proxy joins this one to. */
  partner: SimSocket | null = null
  /** Where in the stream urgent data lies, out of band: a read stops there. -1: nowhere ahead. */
  urgentAt = -1
  /** Up to here MSG_PEEK has shown the bytes: they are here and cannot be late. */
  #shown = 0
  /** Bytes are on their way, and an event for their arrival. */
  #held = false

  constructor(host: Host, label: string, sendRoom: number, receiveRoom: number) {
    super()
    this.#host = host
    this.label = label
    this.sendRoom = sendRoom
    this.receiveRoom = receiveRoom
  }

  get established(): boolean {
    return this.phase === 'open'
  }

  get readable(): number {
    return this.arrived - this.consumed
  }

  /** What the remote may read. */
  get deliverable(): number {
    return this.unsent - this.withheld
  }

  get unsent(): number {
    return this.sent - this.taken
  }

  /** sk_stream_is_writeable(): at least a third of the buffer is free. */
  get writable(): boolean {
    const free = this.sendRoom - this.unsent
    return free > 0 && free >= this.unsent >> 1
  }

  poll(): number {
    if (this.phase === 'fresh') return EPOLLOUT | EPOLLHUP
    if (this.phase === 'connecting') return 0
    let mask = this.error === 0 ? 0 : EPOLLERR
    if (this.phase === 'dead' || (this.sendShut && this.receiveShut)) mask |= EPOLLHUP
    if (this.receiveShut) mask |= EPOLLIN | EPOLLRDHUP
    if (this.readable > 0) mask |= EPOLLIN
    if (this.urgentAt >= 0 && this.urgentAt <= this.arrived) mask |= EPOLLPRI
    if (this.sendShut || this.writable) mask |= EPOLLOUT
    else this.noSpace = true
    return mask
  }

  fire(kind: number): void {
    if (kind === SocketEvent.arrive) this.#arrive()
    else if (kind === SocketEvent.space) this.#tellRoom()
    else if (kind === SocketEvent.connected) this.establish()
    else if (kind === SocketEvent.refused) this.#die(this.pendingError)
    else if (kind === SocketEvent.reset) this.resetByRemote()
    else this.lose(this.pendingError)
  }

  // What the proxy does.

  /** recv(2): how many bytes are taken from {@link consumed} on, or a negated errno. */
  receive(length: number, peek: boolean): number {
    // A read that begins at the urgent byte skips it, and only that makes epoll forget it; a peek does not.
    if (this.urgentAt === this.consumed && !peek) this.urgentAt = -1
    if (this.readable > 0) return this.#takeReadable(length, peek)
    if (this.endArrived) {
      this.endRead = true
      return 0
    }
    if (this.error !== 0) return -this.takeError()
    if (this.phase === 'fresh') return -Errno.ENOTCONN
    if (this.receiveShut) return 0
    return -Errno.EAGAIN
  }

  #takeReadable(length: number, peek: boolean): number {
    let count = Math.min(length, this.readable)
    if (this.urgentAt > this.consumed) count = Math.min(count, this.urgentAt - this.consumed)
    const { random, hostility } = this.#host
    if (count > 1 && this.#mayBeLate && random.chance(hostility.shortRead)) {
      // The rest is taken back and comes later, with an edge of its own. After the FIN nothing can be late.
      count = random.between(1, count - 1)
      this.arrived = this.consumed + count
      this.#held = true
      this.#after(random.below(2048) / 1024, SocketEvent.arrive)
    }
    this.movedAtMs = this.#host.nowMs()
    this.lastReadFrom = this.consumed
    this.lastReadCount = count
    if (peek) {
      this.#shown = this.consumed + count
      return count
    }
    this.consumed += count
    this.remote?.onRoom()
    return count
  }

  /** Whether what is readable may still be taken back, as if it had not come yet. */
  get #mayBeLate(): boolean {
    return this.phase === 'open' && !this.receiveShut && !this.#held && this.consumed >= this.#shown
  }

  /** Whether a call may say EAGAIN though there is something to read: not for bytes that it has shown. */
  get mayDeny(): boolean {
    return this.consumed >= this.#shown
  }

  /** send(2): how many of `length` bytes there is room for now, or a negated errno. {@link acceptBytes} then takes them. */
  roomToSend(length: number): number {
    if (this.phase === 'connecting') return -Errno.EAGAIN
    if (this.error !== 0) return -this.takeError()
    if (this.sendShut || this.phase !== 'open') return -Errno.EPIPE
    const room = this.sendRoom - this.unsent
    if (room <= 0) {
      this.noSpace = true
      return -Errno.EAGAIN
    }
    const { random, hostility } = this.#host
    let count = Math.min(length, room)
    if (count > 1 && random.chance(hostility.shortWrite)) {
      count = random.between(1, count - 1)
      this.#after(random.below(2048) / 1024, SocketEvent.space)
    }
    if (count < length) this.noSpace = true
    return count
  }

  /** Puts `count` bytes into the send buffer; with MSG_MORE they stay there until more is sent, or the end. */
  acceptBytes(count: number, more: boolean): void {
    this.sent += count
    this.withheld = more ? this.withheld + count : 0
    this.movedAtMs = this.#host.nowMs()
    if (this.remote?.closed === true) {
      this.taken = this.sent
      this.#after(this.#host.random.below(1024) / 1024, SocketEvent.reset)
    } else if (!more) this.remote?.onBytes()
  }

  shutdownWrite(): number {
    if (this.phase !== 'open') return -Errno.ENOTCONN
    this.sendShut = true
    this.endSent = true
    this.withheld = 0
    this.remote?.onBytes()
    this.wake(0)
    return 0
  }

  /** close(2): a FIN, or a reset when bytes were left unread or SO_LINGER says so. */
  close(): void {
    this.closed = true
    if (this.phase === 'open' && (this.linger || this.consumed < this.written)) {
      this.resetSent = true
      this.phase = 'dead'
      this.remote?.onReset()
    } else if (this.phase === 'open') {
      this.sendShut = true
      this.endSent = true
      this.withheld = 0
      this.remote?.onBytes()
    } else this.phase = 'dead'
  }

  takeError(): number {
    const { error } = this
    this.error = 0
    return error
  }

  // What the remote and the network do.

  /** The connection stands. */
  establish(): void {
    if (this.closed || this.phase === 'dead') return
    this.phase = 'open'
    this.openedAtMs = this.#host.nowMs()
    if (this.#host.tracing) this.#host.trace(`${this.label} is connected`)
    this.wake(0)
    this.remote?.onRoom()
  }

  /** How many bytes the remote may write. */
  get roomToWrite(): number {
    return this.receiveRoom - (this.written - this.consumed)
  }

  /** The remote writes; a closed proxy socket answers with a reset. */
  write(count: number): void {
    if (this.closed) {
      this.remote?.onReset()
      return
    }
    this.written += count
    if (this.#held) return
    this.arrived = this.written
    this.wake(EPOLLIN)
  }

  /** The remote sends urgent data at this point of its stream. */
  urge(): void {
    if (this.closed || this.phase !== 'open' || this.endWritten || this.urgentAt >= 0) return
    this.urgentAt = this.written
    this.wake(EPOLLIN | EPOLLPRI)
  }

  /** The remote's FIN. */
  end(): void {
    this.endWritten = true
    if (!this.#held) this.#takeEnd()
  }

  /** The remote reads. */
  take(count: number): void {
    this.taken += count
    this.#tellRoom()
  }

  /** All that the proxy sent has been read, and then its FIN. */
  get atEnd(): boolean {
    return this.sendShut && !this.resetSent && this.taken === this.sent
  }

  /** The remote's reset comes. A connection that both ended cleanly is past it. */
  resetByRemote(): void {
    if (this.closed || this.phase === 'dead') return
    if (this.endArrived && this.sendShut && this.unsent === 0) return
    this.#die(this.endArrived ? Errno.EPIPE : this.phase === 'connecting' ? Errno.ECONNREFUSED : Errno.ECONNRESET)
  }

  /** The network gives the connection up. */
  lose(errno: number): void {
    if (this.closed || this.phase === 'dead') return
    this.faulted = true
    this.#die(errno)
    this.remote?.onReset()
  }

  #die(errno: number): void {
    if (this.closed || this.phase === 'dead') return
    if (this.#host.tracing) this.#host.trace(`${this.label} fails with errno ${errno}`)
    this.phase = 'dead'
    this.error = errno
    this.receiveShut = true
    this.sendShut = true
    this.wake(0)
  }

  #arrive(): void {
    this.#held = false
    if (this.closed || this.phase === 'dead') return
    if (this.arrived < this.written) {
      this.arrived = this.written
      this.wake(EPOLLIN)
    }
    if (this.endWritten) this.#takeEnd()
  }

  #takeEnd(): void {
    if (this.closed || this.phase !== 'open') return
    this.endArrived = true
    this.receiveShut = true
    this.wake(0)
  }

  #tellRoom(): void {
    if (!this.noSpace || this.closed || !this.writable) return
    this.noSpace = false
    this.wake(EPOLLOUT)
  }

  #after(delayMs: number, kind: number): void {
    this.#host.timeline.add(this.#host.nowMs() + delayMs, this, kind)
  }
}
