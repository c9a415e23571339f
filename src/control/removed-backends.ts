import type { BackendTable } from '../shared/backend-table.ts'

/** Since when backends are gone of which connections are left: at most as many as the table has rows. */
export class RemovedBackends {
  readonly #table: BackendTable
  /** By row; ms since 1970. */
  readonly #removed = new Map<number, { readonly id: number; readonly sinceMs: number }>()

  constructor(table: BackendTable) {
    this.#table = table
  }

  /** One was taken out of its upstream just now. */
  note({ row, id }: { readonly row: number; readonly id: number }): void {
    if (this.#table.active(row) > 0) this.#removed.set(row, { id, sinceMs: Date.now() })
  }

  /** One is back, or its row is another's. */
  forget(row: number): void {
    this.#removed.delete(row)
  }

  /** Forgets those whose last connection has ended. */
  prune(): void {
    for (const [row, { id }] of this.#removed) {
      if (this.#table.id(row) !== id || this.#table.active(row) === 0) this.#removed.delete(row)
    }
  }

  /** When the backend in a row was removed, ms since 1970; undefined where that is not known. */
  sinceMs(row: number): number | undefined {
    const removed = this.#removed.get(row)
    return removed?.id === this.#table.id(row) ? removed.sinceMs : undefined
  }
}
