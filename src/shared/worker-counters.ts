import { CounterPage } from './counter-page.ts'
import { MAX_BACKENDS, MAX_LISTENERS } from './limits.ts'

const LISTENER_FIELDS = 4
const BACKEND_FIELDS = 5

/** Positions of a listener's counters in its row. */
export const ListenerCounter = { accepted: 0, bytesUp: 1, bytesDown: 2, turnedAway: 3 } as const
/** Positions of a backend's counters in its row. */
export const BackendCounter = { connections: 0, connectFailures: 1, bytesUp: 2, bytesDown: 3, earlyResets: 4 } as const

/** The memory behind one worker's counters. */
export interface WorkerCounterMemory {
  readonly listeners: SharedArrayBuffer
  readonly backends: SharedArrayBuffer
  /** One int32 a listener row: its open connections in this worker. */
  readonly listenerActive: SharedArrayBuffer
}

/** Lays out the memory for one worker. */
export function createWorkerCounterMemory(): WorkerCounterMemory {
  return {
    listeners: new SharedArrayBuffer(CounterPage.bytes(MAX_LISTENERS * LISTENER_FIELDS)),
    backends: new SharedArrayBuffer(CounterPage.bytes(MAX_BACKENDS * BACKEND_FIELDS)),
    listenerActive: new SharedArrayBuffer(4 * MAX_LISTENERS),
  }
}

/** What one worker counts, by listener row and by backend row. The worker writes; main reads and sums. */
export class WorkerCounters {
  readonly #listeners: CounterPage
  readonly #backends: CounterPage
  readonly #listenerActive: Int32Array

  constructor(memory: WorkerCounterMemory) {
    this.#listeners = new CounterPage(memory.listeners)
    this.#backends = new CounterPage(memory.backends)
    this.#listenerActive = new Int32Array(memory.listenerActive)
  }

  addListener(row: number, field: number, amount: number): void {
    this.#listeners.add(row * LISTENER_FIELDS + field, amount)
  }

  addBackend(row: number, field: number, amount: number): void {
    this.#backends.add(row * BACKEND_FIELDS + field, amount)
  }

  readListener(row: number, field: number): number {
    return this.#listeners.read(row * LISTENER_FIELDS + field)
  }

  readBackend(row: number, field: number): number {
    return this.#backends.read(row * BACKEND_FIELDS + field)
  }

  /** Counts a connection of a listener as open (`change` 1) or gone (-1). */
  changeListenerActive(row: number, change: number): void {
    this.#listenerActive[row]! += change
  }

  listenerActive(row: number): number {
    return Atomics.load(this.#listenerActive, row)
  }

  clearListener(row: number): void {
    for (let field = 0; field < LISTENER_FIELDS; field++) this.#listeners.clear(row * LISTENER_FIELDS + field)
  }

  clearBackend(row: number): void {
    for (let field = 0; field < BACKEND_FIELDS; field++) this.#backends.clear(row * BACKEND_FIELDS + field)
  }

  /** Takes the open connections of a worker that threw out of the counts, and mends what it left half done. */
  abandon(): void {
    this.#listenerActive.fill(0)
    this.#listeners.repair()
    this.#backends.repair()
  }
}
