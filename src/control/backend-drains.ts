import { CauseCode } from '../model/cause.ts'
import type { ConnectionAction } from '../model/config.ts'
import type { BackendTable } from '../shared/backend-table.ts'

/** How often a backend that is gone is looked at again. */
const LOOK_AGAIN_MS = 1000

/** What a drain has to know of a backend. */
export interface DrainedBackend {
  readonly row: number
  readonly id: number
}

/** Live connections of a backend that are ended. */
export interface EndedConnections {
  readonly connections: number
  readonly cause: number
  /** The word under which they end: that of the file when the drain began. */
  readonly action: ConnectionAction
  /** Whether others of it were ended before, since it is gone. */
  readonly isAgain: boolean
}

export interface BackendDrainsOptions<Backend extends DrainedBackend> {
  readonly table: BackendTable
  readonly endConnections: (rows: readonly number[], cause: number) => void
  readonly onEnded: (backend: Backend, ended: EndedConnections) => void
}

/** Times are of the monotonic clock. */
interface Drain {
  readonly timer: NodeJS.Timeout
  readonly beganAtMs: number
  readonly endsAtMs: number
}

/** Ends the connections of backends that are down or gone: at once, or when they have had time to end by themselves. */
export class BackendDrains<Backend extends DrainedBackend> {
  readonly #options: BackendDrainsOptions<Backend>
  /** By row: a backend that is added again has the row in which its connections are. */
  readonly #drains = new Map<number, Drain>()

  constructor(options: BackendDrainsOptions<Backend>) {
    this.#options = options
  }

  /**
   * Ends the connections of a backend as `action` says, after `drainMs` where they drain. A drain that is
   * under way is not put off: one that is down and then removed as well drains from the former on.
   */
  begin(backend: Backend, action: ConnectionAction, drainMs: number, cause: number): void {
    const { row } = backend
    const { table } = this.#options
    if (action === 'keep' || table.active(row) === 0) return
    if (action === 'close') {
      this.cancel(row)
      this.#end(backend, action, cause, false)
      return
    }
    if (!this.#drains.has(row)) this.#drain(backend, performance.now(), drainMs, cause)
  }

  /** The same for one that is down or gone already, under another word: a drain counts from when it began. */
  change(backend: Backend, action: ConnectionAction, drainMs: number, cause: number): void {
    const { beganAtMs } = this.#drains.get(backend.row) ?? {}
    this.cancel(backend.row)
    if (action !== 'drain' || beganAtMs === undefined) this.begin(backend, action, drainMs, cause)
    else this.#drain(backend, beganAtMs, drainMs, cause)
  }

  /** The backend in the row serves, or the row is another's: what is under way there ends nothing. */
  cancel(row: number): void {
    clearTimeout(this.#drains.get(row)?.timer)
    this.#drains.delete(row)
  }

  /** When the drain in the row is over, monotonic ms; undefined where none is under way. */
  endsAtMs(row: number): number | undefined {
    return this.#drains.get(row)?.endsAtMs
  }

  #drain(backend: Backend, beganAtMs: number, drainMs: number, cause: number): void {
    const endsAtMs = beganAtMs + drainMs
    const timeLeftMs = Math.max(0, endsAtMs - performance.now())
    const timer = setTimeout(() => this.#end(backend, 'drain', cause, false), timeLeftMs).unref()
    this.#drains.set(backend.row, { timer, beganAtMs, endsAtMs })
  }

  /**
   * Ends them now. Of a backend that is gone again and again while there are any: a client that was accepted before it
   * went may be given to it later.
   */
  #end(backend: Backend, action: ConnectionAction, cause: number, isAgain: boolean): void {
    const { row, id } = backend
    const { table, endConnections, onEnded } = this.#options
    this.#drains.delete(row)
    const connections = table.active(row)
    if (table.id(row) !== id || connections === 0) return
    onEnded(backend, { connections, cause, action, isAgain })
    endConnections([row], cause)
    if (cause !== CauseCode.backendRemoved) return
    const timer = setTimeout(() => this.#end(backend, action, cause, true), LOOK_AGAIN_MS).unref()
    const beganAtMs = performance.now()
    this.#drains.set(row, { timer, beganAtMs, endsAtMs: beganAtMs + LOOK_AGAIN_MS })
  }
}
