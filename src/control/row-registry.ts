import { McsError } from '../model/errors.ts'

/** A point in the life of the process: what a worker has passed when it serves nothing older. */
export interface Age {
  readonly generation: number
  readonly epoch: number
}

interface Entry {
  readonly row: number
  readonly id: number
  readonly name: string
  /** Since when nothing that is served names it; null while something does. */
  unusedSince: Age | null
  /** Whether anything that names it was ever served. */
  hasServed: boolean
  /** Whether it has its id from when it served before. */
  readonly isBack: boolean
}

/** How many owners that are gone can still be named: logs and sticky entries speak of them a while longer. */
const MAX_FORMER_NAMES = 65_536

export interface RowRegistryOptions {
  onAssign?(row: number, id: number): void
  onRelease?(row: number): void
  /** How many owners that are gone get their id again when they come back; none unless given. */
  readonly rememberedOwners?: number
}

/**
 * Gives rows of a shared table to what is served: listeners, upstreams, backends. The same key keeps its row from
 * change to change, and with it its counts and counters. A row is given anew only when no worker serves anything that
 * knew its last owner.
 */
export class RowRegistry {
  readonly #what: string
  readonly #maximum: number
  readonly #options: RowRegistryOptions
  readonly #byKey = new Map<string, Entry>()
  readonly #names: string[] = []
  readonly #namesById = new Map<number, string>()
  /** Owners that are gone, the one that has been so for longest first. */
  readonly #former = new Set<number>()
  readonly #formerIds = new Map<string, number>()
  readonly #free: number[] = []
  #lastId = 0

  /** `what` names the rows in errors; the events of `options` prepare and clear what the shared tables hold for a row. */
  constructor(what: string, maximum: number, options: RowRegistryOptions = {}) {
    this.#what = what
    this.#maximum = maximum
    this.#options = options
  }

  /** The row of `key`, given now if it has none. Throws MCS_LIMIT_EXCEEDED when the table is full. */
  rowFor(key: string, name: string): number {
    return this.entryFor(key, name).row
  }

  /** As {@link rowFor}, and the id of the owner: a number that no two owners ever have. */
  entryFor(key: string, name: string): { readonly row: number; readonly id: number } {
    const known = this.#byKey.get(key)
    if (known !== undefined) {
      known.unusedSince = null
      return known
    }
    const row = this.#free.pop() ?? this.#names.length
    if (row >= this.#maximum) {
      throw new McsError(
        'MCS_LIMIT_EXCEEDED',
        `Cannot hold more than ${this.#maximum} ${this.#what}, those of earlier configurations with live connections included; remove some, or wait until those end`,
        { source: 'config' },
      )
    }
    const isBack = this.#formerIds.has(key)
    const id = this.#takeId(key)
    const entry: Entry = { row, id, name, unusedSince: null, hasServed: false, isBack }
    this.#names[row] = name
    this.#namesById.set(id, name)
    this.#byKey.set(key, entry)
    this.#options.onAssign?.(row, id)
    return entry
  }

  has(key: string): boolean {
    return this.#byKey.has(key)
  }

  /** Rows that have no owner. */
  get free(): number {
    return this.#maximum - this.#byKey.size
  }

  /** Every row that has an owner, former ones with live connections included. */
  rowsInUse(): number[] {
    return [...this.#byKey.values()].map((entry) => entry.row)
  }

  /** The owners of {@link rowsInUse}. */
  owners(): { readonly key: string; readonly name: string; readonly row: number }[] {
    return [...this.#byKey].map(([key, { name, row }]) => ({ key, name, row }))
  }

  /** The name that belongs to a row. */
  nameOf(row: number): string {
    return this.#names[row] ?? 'unknown'
  }

  /** The name of an owner, wherever its row is; of those that are gone, the 65,536 that went last have theirs. */
  nameOfId(id: number): string | undefined {
    return this.#namesById.get(id)
  }

  /**
   * Marks every key that `used`, what is served now, does not have as unused since `age` of it. Rows that were given to
   * a configuration which was refused are free at once: no connection can know them, and if they waited for the next
   * generation, a file that asks for too many would leave no room for the one that mends it.
   */
  retain(used: { has(key: string): boolean }, age: Age): void {
    for (const [key, entry] of this.#byKey) {
      if (used.has(key)) entry.hasServed = true
      else if (!entry.hasServed) this.#release(key, entry)
      else entry.unusedSince ??= age
    }
  }

  /** Frees the rows of which `oldest`, the oldest that any worker serves, no longer knows, unless `isBusy`. */
  collect(oldest: Age, isBusy: (row: number) => boolean): void {
    for (const [key, entry] of this.#byKey) {
      const since = entry.unusedSince
      if (since === null || since.generation > oldest.generation || since.epoch > oldest.epoch) continue
      if (!isBusy(entry.row)) this.#release(key, entry)
    }
  }

  #release(key: string, entry: Entry): void {
    this.#byKey.delete(key)
    this.#options.onRelease?.(entry.row)
    this.#free.push(entry.row)
    this.#former.add(entry.id)
    // What a refused file names has no clients that could come back.
    if (entry.hasServed || entry.isBack) this.#formerIds.set(key, entry.id)
    this.#forget()
  }

  /** The id that the owner had before, where that is known. */
  #takeId(key: string): number {
    const before = this.#formerIds.get(key)
    if (before === undefined) return ++this.#lastId
    this.#formerIds.delete(key)
    this.#former.delete(before)
    return before
  }

  #forget(): void {
    const { rememberedOwners = 0 } = this.#options
    for (const key of this.#formerIds.keys()) {
      if (this.#formerIds.size <= rememberedOwners) break
      this.#formerIds.delete(key)
    }
    for (const id of this.#former) {
      if (this.#former.size <= MAX_FORMER_NAMES) break
      this.#former.delete(id)
      this.#namesById.delete(id)
    }
  }
}
