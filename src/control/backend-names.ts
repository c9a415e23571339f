/** Names that are remembered at most. */
const MAX_NAMES = 65_536

/**
 * Names of backends by row and incarnation, those that are gone included, so that their clients find them again when
 * they come back. The one that was asked for longest ago makes room.
 */
export class BackendNames {
  readonly #names = new Map<string, string>()

  /** The name `now`, which is then remembered; where it has none any more, the one that it had, if that is known. */
  nameOf(row: number, incarnation: number, now: string | undefined): string | undefined {
    const id = `${row} ${incarnation}`
    if (now === undefined) return this.#names.get(id)
    // The one that was asked for longest ago is the first.
    this.#names.delete(id)
    this.#names.set(id, now)
    if (this.#names.size > MAX_NAMES) this.#names.delete(this.#names.keys().next().value!)
    return now
  }
}
