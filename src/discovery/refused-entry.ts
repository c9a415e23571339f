import type { RefusalReason } from './member.ts'

/** An entry of a registry that is no member, as the log names it. */
export interface RefusedEntry {
  readonly entry: string
  readonly reason: RefusalReason
  /** What of it is wrong; absent where the reason says all. */
  readonly detail?: string
}

/** Entries that one line of the log names. */
const maxNamed = 10
/** Longest text of an entry that is named, in characters. */
const maxNameCharacters = 64
/** How much of a text in JSON is searched for its address, in characters. */
const maxSearchedCharacters = 4096

type Named = Omit<RefusedEntry, 'reason'>

/** Names a few of the entries that a read has refused: however many there are, it holds a few short texts. */
export class RefusedEntries {
  readonly #names = new Map<RefusalReason, Named[]>()

  note(reason: RefusalReason, entry: unknown, detail = ''): void {
    const names = this.#names.get(reason) ?? []
    if (names.length === 0) this.#names.set(reason, names)
    if (names.length < maxNamed) names.push({ entry: nameOf(entry), ...(detail === '' ? {} : { detail }) })
  }

  /** The first of every reason in turn, so that a flood of one kind hides no other. */
  list(): RefusedEntry[] {
    const list: RefusedEntry[] = []
    for (let turn = 0; turn < maxNamed; turn++) {
      for (const [reason, names] of this.#names) {
        const named = names[turn]
        if (named !== undefined && list.length < maxNamed) list.push({ ...named, reason })
      }
    }
    return list
  }
}

/**
 * What a log may show of an entry, in printable ASCII. Of an object that is its address alone: whoever wrote it may keep
 * anything beside that. What stands before an `@` may be a password.
 */
export function nameOf(entry: unknown): string {
  const text = textOf(entry)
  const secretEnd = text.lastIndexOf('@') + 1
  const shown = text.slice(secretEnd, secretEnd + maxNameCharacters)
  const ending = text.length > secretEnd + maxNameCharacters ? '…' : ''
  // A copy: part of a text would keep the whole of it, which may be long.
  const harmless = Buffer.from(shown.replaceAll(/[^\x20-\x7e]/g, '?'), 'latin1').toString('latin1')
  return `${secretEnd > 0 ? '…@' : ''}${harmless}${ending}`
}

function textOf(entry: unknown): string {
  if (typeof entry === 'string') return /^\s*\{/.test(entry) ? addressIn(entry) : entry
  if (typeof entry !== 'object' || entry === null) return String(entry)
  return 'address' in entry && typeof entry.address === 'string' ? entry.address : '{}'
}

/** The address in JSON that may be broken. */
function addressIn(text: string): string {
  return /"address"\s*:\s*"([^"\\]*)"/.exec(text.slice(0, maxSearchedCharacters))?.[1] ?? '{}'
}
