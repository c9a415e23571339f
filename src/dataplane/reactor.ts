import { EPOLL_CTL_ADD, EPOLLERR, EPOLLIN, EPOLLOUT } from '../kernel/constants.ts'
import { Errno } from '../kernel/errno.ts'
import type { EpollEvents, Kernel } from '../kernel/kernel.ts'
import { CauseCode } from '../model/cause.ts'
import type { Membership } from '../model/snapshot.ts'
import { ControlCell, WorkerCell } from '../shared/control-cells.ts'
import type { SharedMemory, WorkerMemory } from '../shared/worker-memory.ts'
import { Acceptor, LISTENER_BASE } from './acceptor.ts'
import { Closer } from './closer.ts'
import { Core } from './core.ts'
import { Deadlines } from './deadlines.ts'
import { Dialer } from './dialer.ts'
import type { OrderPort, WorkerOrder } from './messages.ts'
import { Outcomes } from './outcomes.ts'
import { Recorder } from './recorder.ts'
import { Refuser } from './refuser.ts'
import { Relay } from './relay.ts'
import { ServingSnapshot } from './serving.ts'
import { Flag, Phase } from './slots.ts'
import type { Tuning } from './tuning.ts'

/** The low data word of the eventfd by which main wakes this worker. */
const WAKE = -1

export interface ReactorOptions {
  readonly kernel: Kernel
  readonly tuning: Tuning
  readonly workerId: number
  readonly shared: SharedMemory
  readonly own: WorkerMemory
  /** Room for `tuning.eventsPerTurn` events, in the kernel's layout. */
  readonly events: EpollEvents
  /** An eventfd that main writes when the port or the control cells have news. */
  readonly wakeFd: number
  readonly port: OrderPort
  /** A number from 0 to below 1. */
  random(): number
}

/** One worker's event loop. See LIFECYCLE.md for the life of a connection in it. */
export class Reactor {
  readonly #core: Core
  readonly #events: EpollEvents
  readonly #wakeFd: number
  readonly #port: OrderPort
  readonly #closer: Closer
  readonly #relay: Relay
  readonly #refuser: Refuser
  readonly #dialer: Dialer
  readonly #acceptor: Acceptor
  readonly #deadlines: Deadlines
  /** Snapshots that main may commit, by generation. */
  readonly #prepared = new Map<number, ServingSnapshot>()
  #generation = 0

  constructor(options: ReactorOptions) {
    const { kernel, tuning, workerId, shared, own, random } = options
    this.#core = new Core(kernel, tuning, workerId, shared, own, random)
    this.#events = options.events
    this.#wakeFd = options.wakeFd
    this.#port = options.port
    this.#closer = new Closer(this.#core, new Recorder(this.#core))
    const outcomes = new Outcomes(this.#core, this.#port)
    this.#relay = new Relay(this.#core, this.#closer, outcomes)
    this.#refuser = new Refuser(this.#core, this.#closer)
    this.#dialer = new Dialer(this.#core, this.#closer, this.#refuser, this.#relay, outcomes)
    this.#acceptor = new Acceptor(this.#core, this.#closer, this.#dialer)
    this.#deadlines = new Deadlines(this.#core, this.#closer, this.#dialer, outcomes)
    kernel.epollCtl(this.#core.epoll, EPOLL_CTL_ADD, this.#wakeFd, EPOLLIN, WAKE, 0)
    this.#port.report({ type: 'started' })
  }

  /** What the reactor works on, for whoever must look into it: the simulation. */
  get core(): Core {
    return this.#core
  }

  /** Waits for events once and handles them. Returns false when this worker is to end. */
  turn(): boolean {
    const core = this.#core
    const count = core.kernel.epollWait(core.epoll, this.#events, this.#sleepMs())
    core.nowMs = core.kernel.nowMs()
    core.cells[WorkerCell.heartbeat]! += 1
    if (Atomics.load(core.control, ControlCell.stop) === 1) return false
    if (Atomics.load(core.control, ControlCell.generation) !== this.#generation) this.#takeOrders()
    if (count < 0 && count !== -Errno.EINTR) throw new Error(`epoll_wait failed with errno ${-count}`)
    for (let i = 0; i < count; i++) this.#onEvent(i)
    this.#runWaiting()
    this.#deadlines.advance()
    this.#acceptor.resume()
    return !this.#isDone()
  }

  #sleepMs(): number {
    const { waiting, timers, tuning } = this.#core
    if (waiting > 0) return 0
    const limitMs = this.#acceptor.isPaused ? tuning.resumeMs : tuning.maxSleepMs
    return timers.sleepMs(this.#core.kernel.nowMs(), limitMs)
  }

  #onEvent(index: number): void {
    const { words, stride, dataWord } = this.#events
    const at = index * stride
    const mask = words[at]!
    const low = words[at + dataWord]!
    const high = words[at + dataWord + 1]!
    if (low >= 0) this.#onSide(low, high, mask)
    else if (low === WAKE) this.#onWake()
    else this.#acceptor.onEvent(LISTENER_BASE - low, high)
  }

  /** An event on a connection's socket. One with another tag is of an earlier socket of that side. */
  #onSide(side: number, tag: number, mask: number): void {
    const { slots } = this.#core
    if (slots.tag[side] !== tag) return
    const connection = side >> 1
    switch (slots.phase[connection]) {
      case Phase.relaying:
        this.#onRelaying(side, tag, mask)
        return
      case Phase.dialing:
        if ((side & 1) === 1) this.#dialer.onEvent(connection, mask)
        else this.#dialer.onClientEvent(connection, mask)
        return
      case Phase.lingering:
        // To ask again brings an event for the room to write as well; to read at that would ask again for ever.
        if ((mask & ~EPOLLOUT) !== 0) this.#refuser.drain(connection)
        return
    }
  }

  #onRelaying(side: number, tag: number, mask: number): void {
    const { slots } = this.#core
    this.#core.noteReadiness(side, mask)
    // With both directions edge-triggered every arriving packet reports OUT as well: only where bytes wait it is news.
    if ((mask & EPOLLOUT) !== 0 && (slots.flags[side ^ 1]! & Flag.blocked) !== 0) {
      this.#relay.unblock(side ^ 1)
      if (slots.tag[side] !== tag) return
    }
    if ((mask & EPOLLERR) !== 0) this.#relay.noteGone(side)
    else if ((slots.flags[side]! & Flag.readable) !== 0) this.#relay.pump(side)
  }

  /** Goes on with the sides whose turn was over, one turn each. */
  #runWaiting(): void {
    const core = this.#core
    for (let left = core.waiting; left > 0; left--) {
      const side = core.takeWaiting()
      const phase = core.slots.phase[side >> 1]
      if (phase === Phase.relaying) this.#relay.pump(side)
      else if (phase === Phase.lingering) this.#refuser.drain(side >> 1)
    }
  }

  #onWake(): void {
    this.#core.kernel.drainEvent(this.#wakeFd)
    this.#takeOrders()
  }

  #takeOrders(): void {
    for (let order = this.#port.receive(); order !== undefined; order = this.#port.receive()) this.#obey(order)
    const generation = Atomics.load(this.#core.control, ControlCell.generation)
    if (generation !== this.#generation) this.#switchTo(generation)
  }

  #obey(order: WorkerOrder): void {
    switch (order.type) {
      case 'prepare':
        this.#prepared.set(order.snapshot.generation, new ServingSnapshot(order.snapshot, this.#core.balance))
        this.#port.report({ type: 'prepared', generation: order.snapshot.generation })
        return
      case 'members':
        this.#adoptMembers(order.membership)
        return
      case 'end':
        this.#endConnectionsTo(order.rows, order.cause)
        return
      case 'discard':
        this.#prepared.delete(order.generation)
        return
      case 'release':
        this.#acceptor.release(order.sockets)
        this.#port.report({ type: 'released', sockets: order.sockets })
        return
      case 'report':
        this.#port.report({ type: 'report', id: order.id, generations: this.#core.servings.counts() })
        return
      case 'abort':
        this.#endAll()
        return
    }
  }

  /** Makes a prepared snapshot the one under which connections are accepted. */
  #switchTo(generation: number): void {
    const core = this.#core
    const serving = this.#prepared.get(generation)
    if (serving === undefined) return
    for (const prepared of this.#prepared.keys()) if (prepared <= generation) this.#prepared.delete(prepared)
    const previousIndex = core.currentIndex
    core.current = serving
    core.currentIndex = core.servings.add(serving)
    core.pool.setLimit(serving.snapshot.pendingBytesPerWorker)
    if (core.workerId < serving.snapshot.workers) this.#acceptor.adopt()
    else this.#acceptor.leave()
    if (previousIndex >= 0) core.forgetIfUnused(previousIndex)
    this.#generation = generation
    core.publishOldest()
    this.#publishEpoch(serving.snapshot.epoch)
    core.cells[WorkerCell.generation] = generation
    this.#port.report({ type: 'switched', generation })
  }

  /** An upstream has other members: under every snapshot that knows it, those that are not served yet included. */
  #adoptMembers(membership: Membership): void {
    for (const serving of this.#core.servings.all()) serving.adoptMembers(membership)
    for (const serving of this.#prepared.values()) serving.adoptMembers(membership)
    // Before it serves it chooses from nothing, and what it will choose from is as new as this.
    if (this.#core.current !== null) this.#publishEpoch(membership.epoch)
  }

  /** Tells main that backends which had gone by this change will not be chosen again. */
  #publishEpoch(epoch: number): void {
    const { cells } = this.#core
    if (epoch > cells[WorkerCell.epoch]!) Atomics.store(cells, WorkerCell.epoch, epoch)
  }

  #endConnectionsTo(rows: readonly number[], cause: number): void {
    const { slots } = this.#core
    const wanted = new Set(rows)
    for (let connection = 0; connection < slots.capacity; connection++) {
      const phase = slots.phase[connection]
      if (!wanted.has(slots.backendRow[connection]!)) continue
      if (phase === Phase.relaying) this.#closer.end(connection, cause, 0, false)
      else if (phase === Phase.dialing) this.#dialer.dialAnother(connection)
    }
  }

  #endAll(): void {
    const { slots } = this.#core
    for (let connection = 0; connection < slots.capacity; connection++) {
      const phase = slots.phase[connection]
      if (phase === Phase.lingering)
        this.#closer.end(connection, slots.cause[connection]!, slots.errno[connection]!, false)
      else if (phase !== Phase.free) this.#closer.end(connection, CauseCode.shutdown, 0, false)
    }
  }

  /** Whether this worker was removed and its last connection is gone. */
  #isDone(): boolean {
    const { current, workerId, slots } = this.#core
    return current !== null && workerId >= current.snapshot.workers && slots.used === 0
  }
}
