import type { FailingReport, WorkerReport } from '../dataplane/messages.ts'
import { McsError } from '../model/errors.ts'
import type { Membership, Snapshot } from '../model/snapshot.ts'
import { ControlCell, WorkerCell } from '../shared/control-cells.ts'
import { whyNoThread } from './program-version.ts'
import type { Age } from './row-registry.ts'
import type { WorkerExit, WorkerHandle } from './worker-handle.ts'

/** How long a worker may take to answer an order. It answers within microseconds unless something is badly wrong. */
export const ANSWER_TIMEOUT_MS = 10_000
const CRASH_WINDOW_MS = 60_000
/** Crashes within the window after which the process gives up. */
const MAX_CRASHES = 5

/** What the supervisor tells the rest of the control plane. */
export interface SupervisorEvents {
  /** A worker threw; another takes its place unless `willRestart` is false. */
  onCrash(worker: number, error: unknown, lostConnections: number, willRestart: boolean): void
  /** A worker ended that is wanted, and no other can take its place. */
  onNotReplaced(worker: number, reason: string): void
  /** Too many crashes, or nobody left: the process must end. */
  onGiveUp(reason: string): void
  /** Connections to a backend have failed as often in a row as its upstream asks to be told of. */
  onFailing(report: FailingReport): void
}

interface Waiter {
  readonly accepts: (report: WorkerReport) => boolean
  readonly acceptsExit: boolean
  /** Without an error the answer is good. */
  readonly settle: (error?: McsError) => void
}

/** Starts worker threads, hands them snapshots, and replaces those that threw. */
export class Supervisor {
  readonly #createHandle: (id: number) => WorkerHandle
  readonly #events: SupervisorEvents
  readonly #control: Int32Array
  readonly #whyNoThread: () => string | null
  readonly #handles: WorkerHandle[] = []
  readonly #waiters = new Map<WorkerHandle, Set<Waiter>>()
  #crashTimes: number[] = []
  #current: Snapshot | null = null
  #pending: Snapshot | null = null
  #isStopping = false
  #lastReportId = 0

  /**
   * `control` is that of control-cells.ts. A handle is created when a snapshot first asks for that many workers.
   * `whyNotStart` says why no thread may start now, or null.
   */
  constructor(
    control: SharedArrayBuffer,
    createHandle: (id: number) => WorkerHandle,
    events: SupervisorEvents,
    whyNotStart: () => string | null = whyNoThread,
  ) {
    this.#control = new Int32Array(control)
    this.#whyNoThread = whyNotStart
    this.#createHandle = createHandle
    this.#events = events
  }

  /** Every worker there ever was, by id; those without a thread included, for their counters go on. */
  get handles(): readonly WorkerHandle[] {
    return this.#handles
  }

  get running(): readonly WorkerHandle[] {
    return this.#handles.filter((handle) => handle.isRunning)
  }

  /** The lowest generation that any worker serves or holds connections of, and the oldest members it chooses from. */
  oldest(): Age {
    const lowest = (cell: number, current = 0) =>
      this.running
        .map((handle) => Atomics.load(handle.cells, cell))
        .filter((value) => value > 0)
        .reduce((least, value) => Math.min(least, value), current)
    return {
      generation: lowest(WorkerCell.oldestGeneration, this.#current?.generation),
      epoch: lowest(WorkerCell.epoch, this.#current?.epoch),
    }
  }

  /** First phase: every worker has the snapshot and can serve it. Rejects with MCS_WORKER_FAILED. */
  async prepare(snapshot: Snapshot): Promise<void> {
    this.#pending = snapshot
    for (let id = 0; id < snapshot.workers; id++) {
      const handle = this.#handles[id] ?? this.#addHandle(id)
      if (handle.isRunning) continue
      const reason = this.#whyNoThread()
      if (reason !== null) throw mayNotStart(handle, reason)
      this.#start(handle)
    }
    const isPrepared = (report: WorkerReport) => report.type === 'prepared' && report.generation === snapshot.generation
    const answers = this.running.map((handle) => {
      const answer = this.#answer(handle, isPrepared, handle.id >= snapshot.workers)
      handle.order({ type: 'prepare', snapshot })
      return answer
    })
    await Promise.all(answers)
  }

  /** Gives up a prepared snapshot. Workers that were started for it end. */
  discard(snapshot: Snapshot): void {
    this.#pending = null
    for (const handle of this.running) {
      handle.order({ type: 'discard', generation: snapshot.generation })
      if (this.#current !== null && handle.id >= this.#current.workers && handle.open === 0) {
        handle.order({ type: 'prepare', snapshot: this.#current })
      }
    }
  }

  /** Second phase: one store, and every worker accepts under the new snapshot from its next turn on. */
  commit(snapshot: Snapshot): void {
    this.#current = snapshot
    this.#pending = null
    Atomics.store(this.#control, ControlCell.generation, snapshot.generation)
    for (const handle of this.#handles) handle.wake()
  }

  /** Has every worker choose from other members from now on. `current` is the snapshot that has them too. */
  updateMembers(current: Snapshot, membership: Membership): void {
    this.#current = current
    for (const handle of this.running) handle.order({ type: 'members', membership })
  }

  /** Has every worker end its connections to these backends. */
  endConnections(rows: readonly number[], cause: number): void {
    for (const handle of this.running) handle.order({ type: 'end', rows, cause })
  }

  /** Resolves when every worker accepts under `generation`. */
  async switched(generation: number): Promise<void> {
    await Promise.all(
      this.running.map((handle) => {
        if (Atomics.load(handle.cells, WorkerCell.generation) === generation) return undefined
        return this.#answer(handle, (report) => report.type === 'switched' && report.generation >= generation, true)
      }),
    )
  }

  /**
   * Has every worker accept who still waits on these sockets, and let go of them. Resolves when each has answered or its
   * thread has ended, however long that takes: until then a worker may wait on the descriptors by their numbers.
   */
  async release(sockets: readonly number[]): Promise<void> {
    await Promise.all(
      this.running.map((handle) => {
        const accepts = (report: WorkerReport) =>
          report.type === 'released' && sockets.every((id) => report.sockets.includes(id))
        const answer = this.#answer(handle, accepts, true, Number.POSITIVE_INFINITY)
        handle.order({ type: 'release', sockets })
        return answer
      }),
    )
  }

  /** Connections by the generation they were accepted under, lowest first. */
  async connectionsByGeneration(): Promise<{ generation: number; connections: number }[]> {
    const id = ++this.#lastReportId
    const sums = new Map<number, number>()
    await Promise.all(
      this.running.map((handle) => {
        const accepts = (report: WorkerReport) => {
          if (report.type !== 'report' || report.id !== id) return false
          for (const { generation, connections } of report.generations) {
            sums.set(generation, (sums.get(generation) ?? 0) + connections)
          }
          return true
        }
        const answer = this.#answer(handle, accepts, true)
        handle.order({ type: 'report', id })
        return answer
      }),
    )
    return [...sums].sort(([a], [b]) => a - b).map(([generation, connections]) => ({ generation, connections }))
  }

  /** Has every worker end its connections now. */
  abort(): void {
    for (const handle of this.running) handle.order({ type: 'abort' })
  }

  /** Tells every thread to end, without waiting. */
  stop(): void {
    this.#isStopping = true
    Atomics.store(this.#control, ControlCell.stop, 1)
    for (const handle of this.#handles) handle.wake()
  }

  #addHandle(id: number): WorkerHandle {
    const handle = this.#createHandle(id)
    this.#handles[id] = handle
    this.#waiters.set(handle, new Set())
    return handle
  }

  #start(handle: WorkerHandle): void {
    handle.start(
      (report) => {
        if (report.type === 'failing') this.#events.onFailing(report)
        else this.#settle(handle, (waiter) => waiter.accepts(report))
      },
      (exit) => this.#onExit(handle, exit),
    )
  }

  #onExit(handle: WorkerHandle, exit: WorkerExit): void {
    if (this.#isStopping) return
    if (exit.error !== undefined && this.#onlyPendingWants(handle, exit)) {
      handle.release()
      this.#settle(handle, (waiter) => waiter.acceptsExit)
      this.#settle(handle, () => true, cannotStart(handle, exit.error))
      return
    }
    const wanted = Math.max(this.#current?.workers ?? 0, this.#pending?.workers ?? 0)
    const whyNot = handle.id < wanted ? this.#whyNoThread() : null
    const willRestart = handle.id < wanted && whyNot === null
    const givesUp = exit.error !== undefined && this.#noteCrash()
    if (exit.error !== undefined) this.#events.onCrash(handle.id, exit.error, exit.lost, willRestart && !givesUp)
    if (givesUp) {
      this.#events.onGiveUp('Too many workers threw within a minute')
      return
    }
    if (willRestart) this.#restart(handle)
    else handle.release()
    this.#settle(handle, (waiter) => waiter.acceptsExit)
    if (whyNot !== null) this.#goOnWithout(handle, whyNot)
  }

  #goOnWithout(handle: WorkerHandle, reason: string): void {
    this.#settle(handle, () => true, mayNotStart(handle, reason))
    this.#events.onNotReplaced(handle.id, reason)
    const { workers } = this.#current ?? { workers: 0 }
    if (!this.running.some(({ id }) => id < workers)) this.#events.onGiveUp('No worker is left')
  }

  /**
   * Whether nothing that serves is hurt by its end: it was started for a snapshot that is not committed, and could not
   * start, for want of descriptors or memory. Then that snapshot is refused; it is no crash of what serves.
   */
  #onlyPendingWants(handle: WorkerHandle, exit: WorkerExit): boolean {
    return this.#current !== null && handle.id >= this.#current.workers && !exit.hasServed
  }

  #restart(handle: WorkerHandle): void {
    handle.restarts++
    this.#start(handle)
    // One that is wanted by the pending snapshot alone must not see the current one: it would find itself removed, end,
    // and be started again, over and over until the commit.
    if (this.#current !== null && handle.id < this.#current.workers) {
      handle.order({ type: 'prepare', snapshot: this.#current })
    }
    if (this.#pending !== null) handle.order({ type: 'prepare', snapshot: this.#pending })
  }

  /** Returns whether there were too many. */
  #noteCrash(): boolean {
    const now = Date.now()
    this.#crashTimes = this.#crashTimes.filter((at) => now - at < CRASH_WINDOW_MS)
    this.#crashTimes.push(now)
    return this.#crashTimes.length >= MAX_CRASHES
  }

  /**
   * Waits for a report of the worker, for at most `timeoutMs`. One that is replaced meanwhile may answer for it, or its
   * end does.
   */
  #answer(
    handle: WorkerHandle,
    accepts: (report: WorkerReport) => boolean,
    acceptsExit: boolean,
    timeoutMs: number = ANSWER_TIMEOUT_MS,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiters = this.#waiters.get(handle)!
      const giveUp = () => {
        waiters.delete(waiter)
        reject(tooLate(`Worker ${handle.id} did not answer`))
      }
      const timer = timeoutMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(giveUp, timeoutMs)
      const waiter: Waiter = {
        accepts,
        acceptsExit,
        settle: (error) => {
          clearTimeout(timer)
          waiters.delete(waiter)
          if (error === undefined) resolve()
          else reject(error)
        },
      }
      waiters.add(waiter)
    })
  }

  #settle(handle: WorkerHandle, isMeant: (waiter: Waiter) => boolean, error?: McsError): void {
    for (const waiter of [...this.#waiters.get(handle)!]) if (isMeant(waiter)) waiter.settle(error)
  }
}

/** What a reload is refused with when an answer has not come in time. `what` is the beginning of the message. */
export function tooLate(what: string): McsError {
  const message = `${what} within ${ANSWER_TIMEOUT_MS} ms; the earlier configuration goes on serving`
  return new McsError('MCS_WORKER_FAILED', message, { source: 'internal', retryable: true })
}

function mayNotStart({ id }: WorkerHandle, reason: string): McsError {
  return new McsError('MCS_WORKER_FAILED', `Cannot start worker ${id}: ${reason}`, { source: 'system' })
}

function cannotStart(handle: WorkerHandle, cause: unknown): McsError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const message = `Worker ${handle.id} could not start: ${reason}; the earlier configuration goes on serving`
  return new McsError('MCS_WORKER_FAILED', message, { source: 'system', retryable: true, cause })
}
