import type { ConnectionAction } from '../model/config.ts'
import type { BackendTable } from '../shared/backend-table.ts'

export interface BackendDrainsOptions {
  readonly table: BackendTable
  readonly endConnections: (rows: readonly number[], cause: number) => void
}

/** Ends the connections of backends that are down or gone: at once, or when they have had time to end by themselves. */
export class BackendDrains {
  readonly #options: BackendDrainsOptions
  /** By row: a backend that is added again has the row in which its connections are. */
  readonly #timers = new Map<number, NodeJS.Timeout>()

  constructor(options: BackendDrainsOptions) {
    this.#options = options
  }

  /**
   * Ends the connections of backend `id` in `row` as `action` says, after `drainMs` where they drain. A drain that is
   * under way is not put off: one that is down and then removed as well drains from the former on.
   */
  begin({ row, id }: { row: number; id: number }, action: ConnectionAction, drainMs: number, cause: number): void {
    const { table, endConnections } = this.#options
    if (action === 'keep' || table.active(row) === 0) return
    if (action === 'close') {
      this.cancel(row)
      endConnections([row], cause)
      return
    }
    if (this.#timers.has(row)) return
    const timer = setTimeout(() => {
      this.#timers.delete(row)
      if (table.id(row) === id) endConnections([row], cause)
    }, drainMs)
    this.#timers.set(row, timer.unref())
  }

  /** The backend in the row serves, or the row is another's: what is under way there ends nothing. */
  cancel(row: number): void {
    clearTimeout(this.#timers.get(row))
    this.#timers.delete(row)
  }
}
