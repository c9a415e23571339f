import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLEXCLUSIVE, EPOLLIN } from '../kernel/constants.ts'
import { Errno } from '../kernel/errno.ts'
import { CauseCode } from '../model/cause.ts'
import { ControlCell } from '../shared/control-cells.ts'
import { ListenerCounter } from '../shared/worker-counters.ts'
import type { Closer } from './closer.ts'
import type { Core } from './core.ts'
import type { Dialer } from './dialer.ts'
import { Phase } from './slots.ts'

const { EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM, EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP } = Errno

/** Errno values of accept4(2) that say that this process or machine is out of something: no client is at fault. */
const OUT_OF_RESOURCES: readonly number[] = [EMFILE, ENFILE, ENOBUFS, ENOMEM]
/** Errno values that will not go away by trying again: the socket is not what it should be. */
const USELESS: readonly number[] = [EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP]

/** How long after a want of descriptors clients are accepted with care. */
const SHORT_FOR_MS = 1000

/** Tells a listener's events from those of connections, whose low word is a side and never negative. */
export const LISTENER_BASE = -2

/** Most clients that are accepted from a socket before it is let go; its backlog is never longer. */
const MAX_LAST_ACCEPTS = 65_536

/** A listening socket that this worker waits on. */
interface Door {
  readonly id: number
  readonly fd: number
  /** Index in `core.servings` of the snapshot under which it accepts, and of its listener there. */
  serving: number
  listener: number
  isWatched: boolean
  accepted: number
}

/** Accepts clients, under the current snapshot, as long as there is room for them. */
export class Acceptor {
  readonly #core: Core
  readonly #closer: Closer
  readonly #dialer: Dialer
  /** By index, which epoll carries; a removed door leaves its place for the next. */
  readonly #doors: (Door | undefined)[] = []
  /** Whether listeners are out of epoll for want of room or descriptors, and since when. */
  #pausedAtMs = Number.NaN

  constructor(core: Core, closer: Closer, dialer: Dialer) {
    this.#core = core
    this.#closer = closer
    this.#dialer = dialer
  }

  get isPaused(): boolean {
    return !Number.isNaN(this.#pausedAtMs)
  }

  /** An event on the listening socket at `index`; `id` is the one that was registered there. */
  onEvent(index: number, id: number): void {
    const door = this.#doors[index]
    if (door === undefined || door.id !== id || !door.isWatched) return
    const { tuning, current } = this.#core
    this.#acceptSome(door, tuning.acceptsPerTurn, current!.snapshot.connectionLimit)
    if (door.accepted >= this.#core.tuning.acceptsPerRotation) this.#rotate(door, index)
  }

  /**
   * Waits on the sockets of the current snapshot, each under its listener there. Sockets that it does not have stay
   * under the snapshot that had them until {@link release}.
   */
  adopt(): void {
    const { current, currentIndex, servings } = this.#core
    current!.listeners.forEach((listener, listenerIndex) => {
      for (const { id, fd } of listener.sockets) {
        const door = this.#doors.find((candidate) => candidate?.id === id)
        if (door === undefined) {
          this.#open({ id, fd, serving: currentIndex, listener: listenerIndex, isWatched: false, accepted: 0 })
          continue
        }
        const earlier = door.serving
        servings.at(earlier).doors--
        door.serving = currentIndex
        door.listener = listenerIndex
        current!.doors++
        this.#core.forgetIfUnused(earlier)
      }
    })
  }

  /**
   * Lets go of sockets that are about to be closed. First whoever still waits on them is accepted, under the snapshot
   * that had them: to close a socket resets the clients that are queued on it. That they are more than
   * `limits.connections` allows is the lesser evil.
   */
  release(ids: readonly number[]): void {
    this.#doors.forEach((door, index) => {
      if (door !== undefined && ids.includes(door.id)) this.#letGo(door, index, Number.POSITIVE_INFINITY)
    })
  }

  /**
   * Lets go of all sockets, since this worker no longer serves. Other workers go on accepting from them; but whoever
   * waits by now is accepted here, as epoll may have woken this worker for them and none of the others.
   */
  leave(): void {
    this.#doors.forEach((door, index) => {
      if (door !== undefined) this.#letGo(door, index, this.#core.current!.snapshot.connectionLimit)
    })
  }

  /** At the end of a turn: stops accepting where descriptors are wanting, and goes on once there is room again. */
  resume(): void {
    if (!this.isPaused && this.#core.shortOfDescriptorsAtMs === this.#core.nowMs) this.#pause()
    if (!this.isPaused || this.#core.nowMs - this.#pausedAtMs < this.#core.tuning.resumeMs) return
    if (!this.#hasRoom()) {
      this.#pausedAtMs = this.#core.nowMs
      return
    }
    this.#pausedAtMs = Number.NaN
    this.#doors.forEach((door, index) => {
      // To watch one may fail, and then accepting has stopped again.
      if (door !== undefined && !this.isPaused) this.#watch(door, index)
    })
  }

  #open(door: Door): void {
    const free = this.#doors.indexOf(undefined)
    const index = free < 0 ? this.#doors.length : free
    this.#doors[index] = door
    this.#core.servings.at(door.serving).doors++
    if (!this.isPaused) this.#watch(door, index)
  }

  /** Watches the socket no more, and accepts whoever waits by then, as long as no more than `limit` are connected. */
  #letGo(door: Door, index: number, limit: number): void {
    this.#unwatch(door)
    this.#acceptSome(door, MAX_LAST_ACCEPTS, limit)
    this.#doors[index] = undefined
    this.#core.servings.at(door.serving).doors--
    this.#core.forgetIfUnused(door.serving)
  }

  #watch(door: Door, index: number): void {
    if (door.isWatched) return
    const { kernel, epoll } = this.#core
    const mask = EPOLLIN | EPOLLEXCLUSIVE
    const result = kernel.epollCtl(epoll, EPOLL_CTL_ADD, door.fd, mask, LISTENER_BASE - index, door.id)
    if (result < 0) this.#pause()
    else door.isWatched = true
  }

  #unwatch(door: Door): void {
    if (!door.isWatched) return
    door.isWatched = false
    this.#core.kernel.epollCtl(this.#core.epoll, EPOLL_CTL_DEL, door.fd, 0, 0, 0)
  }

  /** Takes the listener out of epoll and in again: this worker goes to the end of the line of those it wakes. */
  #rotate(door: Door, index: number): void {
    door.accepted = 0
    if (!door.isWatched || this.#core.current!.snapshot.workers < 2) return
    this.#unwatch(door)
    this.#watch(door, index)
  }

  /**
   * Whether descriptors were wanting a moment ago. Then each client's backend is dialled at once, before the next client
   * is accepted: two clients must not take the two descriptors that one of them needs.
   */
  #isShort(): boolean {
    return this.#core.nowMs - this.#core.shortOfDescriptorsAtMs < SHORT_FOR_MS
  }

  /** Level-triggered, the listeners would wake this worker all the time while it can accept nobody. */
  #pause(): void {
    this.#pausedAtMs = this.#core.nowMs
    for (const door of this.#doors) if (door !== undefined) this.#unwatch(door)
  }

  #hasRoom(): boolean {
    const { control, current, slots } = this.#core
    return Atomics.load(control, ControlCell.open) < current!.snapshot.connectionLimit && slots.next() >= 0
  }

  /**
   * Accepts at most `count` clients, as long as no more than `limit` are connected. Returns false when nobody waits any
   * more, or there is no room.
   */
  #acceptSome(door: Door, count: number, limit: number): boolean {
    const core = this.#core
    for (let n = 0; n < count; n++) {
      if (core.slots.next() < 0 || !core.reserve(limit)) {
        this.#pause()
        return false
      }
      const fd = core.kernel.accept(door.fd, core.sockaddrAt)
      if (fd < 0) {
        core.unreserve()
        if (fd === -EAGAIN || USELESS.includes(-fd)) return false
        if (OUT_OF_RESOURCES.includes(-fd)) {
          core.noteShortage()
          return false
        }
        continue
      }
      // The slot owns the descriptor from here on: nothing that could throw stands between.
      core.slots.descriptor[2 * core.slots.next()] = fd + 1
      door.accepted++
      this.#admit(door)
    }
    return true
  }

  /** Fills the slot of a client whose descriptor it holds already, and has a backend dialled. */
  #admit(door: Door): void {
    const core = this.#core
    const { slots } = core
    const connection = slots.take()
    const serving = core.servings.at(door.serving)
    const listener = serving.listeners[door.listener]!
    slots.phase[connection] = Phase.dialing
    slots.serving[connection] = door.serving
    slots.listener[connection] = door.listener
    slots.listenerRow[connection] = listener.row
    slots.backendRow[connection] = -1
    slots.attempts[connection] = 0
    slots.acceptedAt[connection] = core.nowMs
    slots.connectedAt[connection] = Number.NaN
    slots.firstEnd[connection] = 0
    slots.keptAlive[connection] = 0
    slots.errno[connection] = 0
    slots.dialedAt[connection] = core.nowMs
    core.enter(serving)
    core.counters.addListener(listener.row, ListenerCounter.accepted, 1)
    core.counters.changeListenerActive(listener.row, 1)
    this.#noteClientAddress(connection)
    const watched = core.watch(2 * connection)
    if (watched < 0) this.#closer.end(connection, CauseCode.internalError, -watched, true)
    else if (this.#isShort()) this.#dialer.dial(connection)
    else this.#dialer.expect(connection)
  }

  /** Keeps the client's family and port, and its address: 4 bytes of IPv4, or the 16 of IPv6. */
  #noteClientAddress(connection: number): void {
    const { slots, sockaddrWords } = this.#core
    const isIpv6 = (sockaddrWords[0]! & 0xffff) === 10
    const from = isIpv6 ? 2 : 1
    const to = connection * 5
    slots.clientAddress[to] = sockaddrWords[0]!
    for (let i = 0; i < 4; i++) slots.clientAddress[to + 1 + i] = sockaddrWords[from + i]!
  }
}
