import type { OrderPort, WorkerOrder, WorkerReport } from '#src/dataplane/messages.js'
import type { Snapshot } from '#src/model/snapshot.js'
import { ControlCell } from '#src/shared/control-cells.js'
import type { SharedMemory } from '#src/shared/worker-memory.js'
import type { SimEvent } from './sim-listener.ts'
import type { Timed } from './timeline.ts'

export const MainEvent = { prepare: 0, commit: 1, wake: 2, discard: 3 } as const

/** The main thread, as one worker sees it: orders, an eventfd and the generation cell. */
export class MainThread implements OrderPort, Timed {
  readonly #control: Int32Array
  readonly #wakeup: SimEvent
  readonly #orders: WorkerOrder[] = []
  #next: Snapshot
  /** Generations that the worker said it switched to. */
  switched = 0

  constructor(shared: SharedMemory, wakeup: SimEvent, first: Snapshot) {
    this.#control = new Int32Array(shared.control)
    this.#wakeup = wakeup
    this.#next = first
  }

  receive(): WorkerOrder | undefined {
    return this.#orders.shift()
  }

  report(report: WorkerReport): void {
    if (report.type === 'switched') this.switched = report.generation
  }

  /** A reload: the next generation is the same snapshot under another number. */
  fire(kind: number): void {
    if (kind === MainEvent.prepare) this.prepare({ ...this.#next, generation: this.#next.generation + 1 })
    else if (kind === MainEvent.discard) this.#order({ type: 'discard', generation: this.#next.generation + 1 })
    else if (kind === MainEvent.commit) this.commit()
    else this.#wakeup.fire()
  }

  prepare(snapshot: Snapshot): void {
    this.#next = snapshot
    this.#order({ type: 'prepare', snapshot })
  }

  commit(): void {
    Atomics.store(this.#control, ControlCell.generation, this.#next.generation)
    this.#wakeup.fire()
  }

  #order(order: WorkerOrder): void {
    this.#orders.push(order)
    this.#wakeup.fire()
  }
}
