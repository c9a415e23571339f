import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
} from '../kernel/constants.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { SOCKADDR_BYTES } from '../kernel/kernel.ts'
import type { ListenerSnapshot } from '../model/snapshot.ts'
import { BackendTable } from '../shared/backend-table.ts'
import { ClientTable, workerLocker } from '../shared/client-table.ts'
import { ControlCell, WorkerCell } from '../shared/control-cells.ts'
import { RecordRing } from '../shared/record-ring.ts'
import { WorkerCounters } from '../shared/worker-counters.ts'
import type { SharedMemory, WorkerMemory } from '../shared/worker-memory.ts'
import { ChunkPool } from './chunk-pool.ts'
import { type BalanceMemory, type ServingSnapshot, ServingTable, type ServingUpstream } from './serving.ts'
import { Flag, Slots } from './slots.ts'
import { TimerWheel } from './timer-wheel.ts'
import type { Tuning } from './tuning.ts'

/**
 * Edge-triggered, both ways at once, so that a socket is registered once in its life. EPOLLPRI tells of urgent data,
 * at which a read stops short though more is there.
 */
const STREAM_MASK = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET

/** Events that say more than that bytes have come. */
const BEYOND_BYTES = EPOLLRDHUP | EPOLLHUP | EPOLLERR

/** What the parts of one reactor share: the kernel, the memory, the time of this turn. */
export class Core {
  readonly kernel: Kernel
  readonly tuning: Tuning
  readonly workerId: number
  readonly epoll: number
  readonly slots: Slots
  readonly timers: TimerWheel
  readonly pool: ChunkPool
  readonly servings = new ServingTable()
  readonly table: BackendTable
  readonly clients: ClientTable
  readonly counters: WorkerCounters
  readonly records: RecordRing
  /** shared/control-cells.ts: the process's, and this worker's. */
  readonly control: Int32Array
  readonly cells: Int32Array
  /** What balancers work on: the backend table, and where the turns of each upstream stand. */
  readonly balance: BalanceMemory
  /** By upstream row: bit i says that health is ignored in group i. */
  readonly panics: Int32Array
  /** Reads go here first. */
  readonly scratchAt: number
  /** Room for one sockaddr, as bytes and as words. */
  readonly sockaddr: Uint8Array
  readonly sockaddrWords: Int32Array
  readonly sockaddrAt: number
  /** Monotonic time at which this turn began, ms. */
  nowMs: number
  /** The snapshot under which connections are accepted, and its index in `servings`; null before the first. */
  current: ServingSnapshot | null = null
  currentIndex = -1
  /** When a descriptor was last wanting, monotonic ms. */
  shortOfDescriptorsAtMs = Number.NEGATIVE_INFINITY
  /** Sides that have more to do, though no edge will say so. */
  readonly #queue: number[] = []
  #scratch: Uint8Array

  constructor(
    kernel: Kernel,
    tuning: Tuning,
    workerId: number,
    shared: SharedMemory,
    own: WorkerMemory,
    random: () => number,
  ) {
    this.kernel = kernel
    this.tuning = tuning
    this.workerId = workerId
    this.nowMs = kernel.nowMs()
    this.epoll = kernel.epollCreate()
    if (this.epoll < 0) throw new Error(`epoll_create1 failed with errno ${-this.epoll}`)
    this.cells = new Int32Array(own.cells)
    this.cells[WorkerCell.epoll] = this.epoll + 1
    this.timers = new TimerWheel(tuning.timerTickMs, this.nowMs, 0)
    this.slots = new Slots(own.descriptors, (capacity) => {
      this.timers.grow(capacity)
      this.cells[WorkerCell.capacity] = capacity
    })
    this.pool = new ChunkPool(kernel, tuning.chunkBytes, 0)
    this.table = new BackendTable(shared.backends, own.held)
    this.clients = new ClientTable(shared.clients, workerLocker(workerId))
    this.counters = new WorkerCounters(own.counters)
    this.records = new RecordRing(own.records)
    this.control = new Int32Array(shared.control)
    this.balance = { table: this.table, cursors: new Int32Array(shared.cursors), random }
    this.panics = new Int32Array(shared.panics)
    this.#scratch = Buffer.allocUnsafeSlow(tuning.largeReadBytes)
    this.scratchAt = kernel.addressOf(this.#scratch)
    this.sockaddr = Buffer.allocUnsafeSlow(SOCKADDR_BYTES)
    this.sockaddrWords = new Int32Array(this.sockaddr.buffer, this.sockaddr.byteOffset, SOCKADDR_BYTES / 4)
    this.sockaddrAt = kernel.addressOf(this.sockaddr)
  }

  /** The descriptor of a side; -1 when it has none. */
  fd(side: number): number {
    return this.slots.descriptor[side]! - 1
  }

  /** The upstream that a connection's listener sends to. */
  upstreamOf(connection: number): ServingUpstream {
    const serving = this.servings.at(this.slots.serving[connection]!)
    return serving.upstreams[serving.listeners[this.slots.listener[connection]!]!.upstream]!
  }

  listenerOf(connection: number): ListenerSnapshot {
    return this.servings.at(this.slots.serving[connection]!).listeners[this.slots.listener[connection]!]!
  }

  /** Registers a side's socket with epoll. Returns 0 or a negated errno. */
  watch(side: number): number {
    const tag = ++this.slots.tag[side]!
    return this.kernel.epollCtl(this.epoll, EPOLL_CTL_ADD, this.fd(side), STREAM_MASK, side, tag)
  }

  /**
   * Asks epoll to look at a side again: whatever is ready by now comes as an event. Done whenever a read or write met
   * EAGAIN, so that no edge can have been lost between that and the event it followed.
   */
  rearm(side: number): void {
    this.kernel.epollCtl(this.epoll, EPOLL_CTL_MOD, this.fd(side), STREAM_MASK, side, this.slots.tag[side]!)
  }

  /**
   * Remembers what an event says there is to read. Anything but plain bytes asks for a read to the end: a FIN may come
   * in the same edge as bytes, and then a short read is not the end, and no second edge comes. Urgent data by itself is
   * nothing to read: a peek does not make epoll forget it, and to peek again at each such event would never end.
   */
  noteReadiness(side: number, mask: number): void {
    if ((mask & BEYOND_BYTES) !== 0) {
      const ending = (mask & (EPOLLRDHUP | EPOLLPRI)) === EPOLLRDHUP ? Flag.ending : 0
      this.slots.flags[side]! |= Flag.readable | Flag.toTheEnd | ending
    } else if ((mask & EPOLLIN) !== 0) {
      this.slots.flags[side]! |= (mask & EPOLLPRI) === 0 ? Flag.readable : Flag.readable | Flag.toTheEnd
    }
  }

  /** Closes a side's socket, if it has one. The slot is cleared before, so that the number has one owner at any time. */
  closeSide(side: number, reset: boolean): void {
    const fd = this.fd(side)
    if (fd < 0) return
    this.slots.tag[side]!++
    this.slots.descriptor[side] = 0
    if (reset) this.kernel.resetOnClose(fd)
    this.kernel.close(fd)
  }

  /**
   * Takes one of the process's places for a connection that is about to be accepted. False when `limit` are taken. A
   * place that was only looked for before accept4 could be taken by several workers.
   */
  reserve(limit: number): boolean {
    const open = Atomics.add(this.control, ControlCell.open, 1)
    // Beside the shared count the worker keeps its own, by which main gives back what it held when it throws.
    this.cells[WorkerCell.open]! += 1
    if (open < limit) return true
    this.unreserve()
    return false
  }

  /** Gives back a place for which nobody was accepted. */
  unreserve(): void {
    this.cells[WorkerCell.open]! -= 1
    Atomics.sub(this.control, ControlCell.open, 1)
  }

  /** Counts a connection that was accepted under a snapshot, in the place that was reserved for it. */
  enter(serving: ServingSnapshot): void {
    this.cells[WorkerCell.accepted]! += 1
    serving.connections++
  }

  /** Takes a connection out of the counts; the last one of an earlier snapshot takes that with it. */
  leave(servingIndex: number): void {
    this.unreserve()
    this.servings.at(servingIndex).connections--
    this.forgetIfUnused(servingIndex)
  }

  /** Forgets a snapshot that is not the current one, has no connection and accepts none. */
  forgetIfUnused(servingIndex: number): void {
    if (servingIndex === this.currentIndex) return
    const serving = this.servings.find(servingIndex)
    if (serving === undefined || serving.connections > 0 || serving.doors > 0) return
    this.servings.remove(servingIndex)
    this.publishOldest()
  }

  /** No descriptor was left, for a client or for a backend. */
  noteShortage(): void {
    this.shortOfDescriptorsAtMs = this.nowMs
    this.cells[WorkerCell.shortages]! += 1
  }

  /** Tells main which generation is the oldest that this worker still serves, so that its rows can be used again. */
  publishOldest(): void {
    Atomics.store(this.cells, WorkerCell.oldestGeneration, this.servings.oldestGeneration())
  }

  /** Has the side's stream go on in the next turn. */
  runLater(side: number): void {
    if (this.slots.queued[side] === 1) return
    this.slots.queued[side] = 1
    this.#queue.push(side)
  }

  /** How many sides wait for the next turn. */
  get waiting(): number {
    return this.#queue.length
  }

  /** Takes the first waiting side. */
  takeWaiting(): number {
    const side = this.#queue.shift()!
    this.slots.queued[side] = 0
    return side
  }
}
