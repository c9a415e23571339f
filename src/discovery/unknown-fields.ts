import { nearest } from '../config/nearest.ts'
import { quote } from '../config/quote.ts'
import { memberFields } from './member.ts'
import { nameOf } from './refused-entry.ts'

/** A field that no member has. */
export interface UnknownField {
  readonly field: string
  /** The first entry that has it. */
  readonly entry: string
  /** The field that was probably meant; absent where none is near. */
  readonly nearest?: string
}

/** Fields that one line of the log names, and of an entry that are looked at. */
const maxNamed = 10
const maxLookedAt = 100

/** Names a few of the fields of entries that are ignored, each once. */
export class UnknownFields {
  readonly #found = new Map<string, UnknownField>()

  note(entry: unknown): void {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return
    for (const key of Object.keys(entry).slice(0, maxLookedAt)) {
      if (this.#found.size === maxNamed) return
      if (memberFields.includes(key)) continue
      const field = quote(key).slice(1, -1)
      if (this.#found.has(field)) continue
      const meant = nearest(key, memberFields)
      this.#found.set(field, { field, entry: nameOf(entry), ...(meant === undefined ? {} : { nearest: meant }) })
    }
  }

  list(): UnknownField[] {
    return [...this.#found.values()]
  }
}
