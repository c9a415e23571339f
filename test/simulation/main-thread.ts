import type { OrderPort, WorkerOrder, WorkerReport } from '#src/dataplane/messages.js'
import { CauseCode } from '#src/model/cause.js'
import type { BackendSnapshot, ListenerSocket, Membership, Snapshot } from '#src/model/snapshot.js'
import { ControlCell, WorkerCell } from '#src/shared/control-cells.js'
import type { SharedMemory, WorkerMemory } from '#src/shared/worker-memory.js'
import { createMembership } from './membership.ts'
import { BACKEND_PORT } from './network.ts'
import type { SimEvent } from './sim-listener.ts'
import type { Timed } from './timeline.ts'

/**
 * `prepare` and `commit` are the halves of a reload that changes nothing but the generation; `discard` gives it up.
 * `changeMembers` takes a backend out, or puts it in again; `endBackend` ends the connections to the first.
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
  changeMembers: 7,
  endBackend: 8,
} as const

/** The main thread, as one worker sees it: orders, an eventfd and the generation cell. */
export class MainThread implements OrderPort, Timed {
  readonly #control: Int32Array
  readonly #cells: Int32Array
  readonly #backends: readonly BackendSnapshot[]
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
  constructor(shared: SharedMemory, own: WorkerMemory, wakeup: SimEvent, first: Snapshot, close: (fd: number) => void) {
    this.#control = new Int32Array(shared.control)
    this.#cells = new Int32Array(own.cells)
    this.#backends = first.upstreams[0]?.membership.backends ?? []
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
    else if (kind === MainEvent.changeMembers) this.#changeMembers()
    else if (kind === MainEvent.endBackend) this.#order({ type: 'end', rows: [0], cause: CauseCode.backendRemoved })
    else this.#wakeup.fire()
  }

  /** Whether a backend may be dialled: it is a member, or the worker does not know yet that it no longer is. */
  mayDial(port: number): boolean {
    const { backends, epoch } = this.#membership
    const isMember = backends.some((backend) => BACKEND_PORT + backend.row === port)
    return isMember || Atomics.load(this.#cells, WorkerCell.epoch) < epoch
  }

  get #membership(): Membership {
    return this.#next.upstreams[0]!.membership
  }

  #changeMembers(): void {
    const [upstream] = this.#next.upstreams
    if (this.#isPrepared || upstream === undefined) return
    const epoch = this.#next.epoch + 1
    const all = this.#backends
    const backends =
      upstream.membership.backends.length < all.length ? all : all.slice(epoch % 2, epoch % 2 === 0 ? -1 : undefined)
    const membership = createMembership(backends, epoch)
    this.#next = { ...this.#next, epoch, upstreams: [{ ...upstream, membership }] }
    this.#order({ type: 'members', membership })
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
