import { McsError } from '../model/errors.ts'

interface Entry {
  readonly row: number
  readonly name: string
  /** Generation since which no snapshot names it; 0 while one does. */
  unusedSince: number
  /** Whether a snapshot that names it was ever served. */
  hasServed: boolean
}

/**
 * Gives rows of a shared table to what a snapshot names: listeners, upstreams, backends. The same key keeps its row from
 * snapshot to snapshot, and with it its counts and counters. A row is given anew only when no worker serves a
 * generation that knew its last owner.
 */
export class RowRegistry {
  readonly #what: string
  readonly #maximum: number
  readonly #onReuse: (row: number) => void
  readonly #byKey = new Map<string, Entry>()
  readonly #names: string[] = []
  readonly #free: number[] = []

  /** `what` names the rows in errors; `onReuse` clears what the shared tables hold for a row. */
  constructor(what: string, maximum: number, onReuse: (row: number) => void) {
    this.#what = what
    this.#maximum = maximum
    this.#onReuse = onReuse
  }

  /** The row of `key`, given now if it has none. Throws MCS_LIMIT_EXCEEDED when the table is full. */
  rowFor(key: string, name: string): number {
    const known = this.#byKey.get(key)
    if (known !== undefined) {
      known.unusedSince = 0
      return known.row
    }
    const row = this.#free.pop() ?? this.#names.length
    if (row >= this.#maximum) {
      throw new McsError(
        'MCS_LIMIT_EXCEEDED',
        `Cannot hold more than ${this.#maximum} ${this.#what}, those of earlier configurations with live connections included; remove some, or wait until those end`,
        { source: 'config' },
      )
    }
    this.#names[row] = name
    this.#byKey.set(key, { row, name, unusedSince: 0, hasServed: false })
    return row
  }

  /** Every row that has an owner, former ones with live connections included. */
  rowsInUse(): number[] {
    return [...this.#byKey.values()].map((entry) => entry.row)
  }

  /** The name that belongs to a row. */
  nameOf(row: number): string {
    return this.#names[row] ?? 'unknown'
  }

  /**
   * Marks every key that `used`, what is served now, does not have as unused since `generation`. Rows that were given to
   * a configuration which was refused are free at once: no connection can know them, and if they waited for the next
   * generation, a file that asks for too many would leave no room for the one that mends it.
   */
  retain(used: ReadonlySet<string>, generation: number): void {
    for (const [key, entry] of this.#byKey) {
      if (used.has(key)) entry.hasServed = true
      else if (!entry.hasServed) this.#release(key, entry)
      else if (entry.unusedSince === 0) entry.unusedSince = generation
    }
  }

  /** Frees the rows that no generation from `oldestGeneration` on knows, unless `isBusy`. */
  collect(oldestGeneration: number, isBusy: (row: number) => boolean): void {
    for (const [key, entry] of this.#byKey) {
      if (entry.unusedSince === 0 || entry.unusedSince > oldestGeneration || isBusy(entry.row)) continue
      this.#release(key, entry)
    }
  }

  #release(key: string, entry: Entry): void {
    this.#byKey.delete(key)
    this.#onReuse(entry.row)
    this.#free.push(entry.row)
  }
}
