import { CauseCode } from '../model/cause.ts'
import type { ConnectionAction } from '../model/config.ts'
import type { BackendTable } from '../shared/backend-table.ts'

/** How often a backend that is gone is looked at again. */
const LOOK_AGAIN_MS = 1000

export interface BackendDrainsOptions {
  readonly table: BackendTable
  readonly endConnections: (rows: readonly number[], cause: number) => void
}

/** Ends the connections of backends that are down or gone: at once, or when they have had time to end by themselves. */
export class BackendDrains {
  readonly #options: BackendDrainsOptions
  /** By row: a backend that is added again has the row in which its connections are. */
  readonly #drains = new Map<number, { readonly timer: NodeJS.Timeout; readonly beganAtMs: number }>()

  constructor(options: BackendDrainsOptions) {
    this.#options = options
  }

  /**
   * Ends the connections of backend `id` in `row` as `action` says, after `drainMs` where they drain. A drain that is
   * under way is not put off: one that is down and then removed as well drains from the former on.
   */
  begin({ row, id }: { row: number; id: number }, action: ConnectionAction, drainMs: number, cause: number): void {
    const { table } = this.#options
    if (action === 'keep' || table.active(row) === 0) return
    if (action === 'close') {
      this.cancel(row)
      this.#end({ row, id }, cause)
      return
    }
    if (!this.#drains.has(row)) this.#drain({ row, id }, performance.now(), drainMs, cause)
  }

  /** The same for one that is down or gone already, under another word: a drain counts from when it began. */
  change(backend: { row: number; id: number }, action: ConnectionAction, drainMs: number, cause: number): void {
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

  #drain({ row, id }: { row: number; id: number }, beganAtMs: number, drainMs: number, cause: number): void {
    const timeLeftMs = Math.max(0, beganAtMs + drainMs - performance.now())
    const timer = setTimeout(() => this.#end({ row, id }, cause), timeLeftMs).unref()
    this.#drains.set(row, { timer, beganAtMs })
  }

  /**
   * Ends them now. Of a backend that is gone again and again while there are any: a client that was accepted before it
   * went may be given to it later.
   */
  #end({ row, id }: { row: number; id: number }, cause: number): void {
    const { table, endConnections } = this.#options
    this.#drains.delete(row)
    if (table.id(row) !== id || table.active(row) === 0) return
    endConnections([row], cause)
    if (cause !== CauseCode.backendRemoved) return
    const timer = setTimeout(() => this.#end({ row, id }, cause), LOOK_AGAIN_MS).unref()
    this.#drains.set(row, { timer, beganAtMs: performance.now() })
  }
}
