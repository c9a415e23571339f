import type { OrderPort, WorkerOrder, WorkerReport } from '#src/dataplane/messages.js'
import type { ListenerSocket, Snapshot } from '#src/model/snapshot.js'
import { ControlCell } from '#src/shared/control-cells.js'
import type { SharedMemory } from '#src/shared/worker-memory.js'
import type { SimEvent } from './sim-listener.ts'
import type { Timed } from './timeline.ts'

/**
 * `prepare` and `commit` are the halves of a reload that changes nothing but the generation; `discard` gives it up.
 * `removeListener` is a reload without the last listener, `retire` one without this worker, `abort` the end of a drain.
 */
export const MainEvent = {
  prepare: 0,
  commit: 1,
  wake: 2,
  discard: 3,
  removeListener: 4,
  retire: 5,
  abort: 6,
} as const

/** The main thread, as one worker sees it: orders, an eventfd and the generation cell. */
export class MainThread implements OrderPort, Timed {
  readonly #control: Int32Array
  readonly #wakeup: SimEvent
  readonly #orders: WorkerOrder[] = []
  readonly #close: (fd: number) => void
  #next: Snapshot
  #isPrepared = false
  /** What the worker serves. */
  #switched = 0
  /** Sockets that are to be released once the worker has switched to the generation without them. */
  #leaving: readonly ListenerSocket[] = []
  #leavingSince = 0
  /** The worker was told that it is one too many. */
  retired = false

  /** `close` closes a listening socket that the worker has let go of. */
  constructor(shared: SharedMemory, wakeup: SimEvent, first: Snapshot, close: (fd: number) => void) {
    this.#control = new Int32Array(shared.control)
    this.#wakeup = wakeup
    this.#next = first
    this.#close = close
  }

  receive(): WorkerOrder | undefined {
    return this.#orders.shift()
  }

  report(report: WorkerReport): void {
    if (report.type === 'switched') this.#switched = report.generation
    if (report.type === 'switched' && this.#leaving.length > 0 && report.generation >= this.#leavingSince)
      this.#order({ type: 'release', sockets: this.#leaving.map((socket) => socket.id) })
    if (report.type !== 'released') return
    for (const socket of this.#leaving) if (report.sockets.includes(socket.id)) this.#close(socket.fd)
    this.#leaving = []
  }

  fire(kind: number): void {
    if (kind === MainEvent.prepare) this.prepare({ ...this.#next, generation: this.#next.generation + 1 })
    else if (kind === MainEvent.discard) this.#discard()
    else if (kind === MainEvent.commit) this.commit()
    else if (kind === MainEvent.removeListener) this.#removeListener()
    else if (kind === MainEvent.retire) this.#retire()
    else if (kind === MainEvent.abort) this.#order({ type: 'abort' })
    else this.#wakeup.fire()
  }

  #removeListener(): void {
    const { listeners, generation } = this.#next
    const last = listeners[listeners.length - 1]
    if (last === undefined || this.#leaving.length > 0 || this.#switched !== generation) return
    this.#leaving = last.sockets
    this.#leavingSince = generation + 1
    this.prepare({ ...this.#next, generation: generation + 1, listeners: listeners.slice(0, -1) })
    this.commit()
  }

  #retire(): void {
    this.retired = true
    this.prepare({ ...this.#next, generation: this.#next.generation + 1, workers: 0 })
    this.commit()
  }

  prepare(snapshot: Snapshot): void {
    this.#next = snapshot
    this.#isPrepared = true
    this.#order({ type: 'prepare', snapshot })
  }

  #discard(): void {
    if (!this.#isPrepared) return
    this.#isPrepared = false
    this.#order({ type: 'discard', generation: this.#next.generation })
  }

  commit(): void {
    if (!this.#isPrepared) return
    this.#isPrepared = false
    Atomics.store(this.#control, ControlCell.generation, this.#next.generation)
    this.#wakeup.fire()
  }

  #order(order: WorkerOrder): void {
    this.#orders.push(order)
    this.#wakeup.fire()
  }
}
