import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { WorkerOrder, WorkerReport } from '../dataplane/messages.ts'
import type { WorkerData } from '../dataplane/worker.ts'
import { Libc } from '../kernel/libc.ts'
import { createEvent, signalEvent } from '../kernel/process.ts'
import { McsError } from '../model/errors.ts'
import { BackendTable } from '../shared/backend-table.ts'
import { ClientTable, MAIN_LOCKER, workerLocker } from '../shared/client-table.ts'
import { ControlCell, WorkerCell } from '../shared/control-cells.ts'
import { RecordRing } from '../shared/record-ring.ts'
import { WorkerCounters } from '../shared/worker-counters.ts'
import { createWorkerMemory, type SharedMemory, type WorkerMemory } from '../shared/worker-memory.ts'

const kernel = new Libc()
const entry = new URL('../dataplane/worker.js', import.meta.url)

/** How a worker's thread ended: `error` is what it threw, undefined for an orderly end. */
export interface WorkerExit {
  readonly error: unknown
  /** Connections that were lost with it. */
  readonly lost: number
  /** Whether it ever served a snapshot. */
  readonly hasServed: boolean
}

/**
 * One place for a worker: its memory, and the thread that has it now. The memory outlives the thread, so counters go
 * on, and what a thread that threw has left behind can be given back.
 */
export class WorkerHandle {
  readonly id: number
  readonly counters: WorkerCounters
  readonly records: RecordRing
  readonly cells: Int32Array
  restarts = 0
  readonly #shared: SharedMemory
  readonly #own: WorkerMemory
  #thread: Worker | null = null
  #port: MessagePort | null = null
  #wakeFd = -1

  constructor(id: number, shared: SharedMemory) {
    this.id = id
    this.#shared = shared
    this.#own = createWorkerMemory()
    this.counters = new WorkerCounters(this.#own.counters)
    this.records = new RecordRing(this.#own.records)
    this.cells = new Int32Array(this.#own.cells)
  }

  /** Whether it has a thread. One that is about to end takes no more orders; its end then answers for it. */
  get isRunning(): boolean {
    return this.#thread !== null
  }

  /** Connections it holds. */
  get open(): number {
    return Atomics.load(this.cells, WorkerCell.open)
  }

  /** Starts the thread. `onExit` is told once it is gone and what it held is given back. */
  start(onReport: (report: WorkerReport) => void, onExit: (exit: WorkerExit) => void): void {
    // That of the thread before, if there was one: who takes its place must not want for a descriptor.
    if (this.#wakeFd < 0) this.#wakeFd = createEvent()
    if (this.#wakeFd < 0)
      throw new McsError('MCS_SYSTEM', `Cannot start worker ${this.id}: no file descriptor is left`, {
        source: 'system',
      })
    const { port1, port2 } = new MessageChannel()
    const workerData: WorkerData = {
      workerId: this.id,
      shared: this.#shared,
      own: this.#own,
      wakeFd: this.#wakeFd,
      port: port2,
    }
    const thread = new Worker(entry, { workerData, transferList: [port2], name: `worker-${this.id}` })
    let thrown: unknown
    port1.on('message', onReport)
    thread.on('error', (error) => {
      thrown = error
    })
    thread.on('exit', (code) => {
      port1.close()
      const error = thrown ?? (code === 0 ? undefined : new Error(`the thread ended with exit code ${code}`))
      const hasServed = Atomics.load(this.cells, WorkerCell.generation) !== 0
      onExit({ error, lost: this.#cleanUp(), hasServed })
    })
    this.#thread = thread
    this.#port = port1
  }

  /** Sends an order and wakes the thread to take it. */
  order(order: WorkerOrder): void {
    this.#port?.postMessage(order)
    this.wake()
  }

  wake(): void {
    if (this.#wakeFd >= 0) signalEvent(this.#wakeFd)
  }

  /** No thread takes the place of the one that ended, for now. */
  release(): void {
    if (this.#wakeFd >= 0) kernel.close(this.#wakeFd)
    this.#wakeFd = -1
  }

  /** Closes and gives back what the thread held. Safe only now that it is gone: no event can reach a reused number. */
  #cleanUp(): number {
    const lost = this.open
    const descriptors = new Int32Array(this.#own.descriptors)
    const sides = 2 * this.cells[WorkerCell.capacity]!
    for (let side = 0; side < sides; side++) {
      const fd = descriptors[side]! - 1
      descriptors[side] = 0
      if (fd >= 0) kernel.close(fd)
    }
    const epoll = this.cells[WorkerCell.epoll]! - 1
    if (epoll >= 0) kernel.close(epoll)
    new BackendTable(this.#shared.backends, this.#own.held).abandon()
    new ClientTable(this.#shared.clients, MAIN_LOCKER).release(workerLocker(this.id))
    Atomics.sub(new Int32Array(this.#shared.control), ControlCell.open, lost)
    this.counters.abandon()
    const accepted = this.cells[WorkerCell.accepted]!
    this.cells.fill(0)
    this.cells[WorkerCell.accepted] = accepted
    this.#thread = null
    this.#port = null
    return lost
  }
}
