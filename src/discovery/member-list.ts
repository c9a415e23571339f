import { setImmediate as nextTurn } from 'node:timers/promises'
import { parse } from 'yaml'

/**
 * Longest text that the YAML reader gets at once. Its time grows with the square of what it is given where that is
 * broken or nested, and nothing else runs meanwhile: 1 MiB of brackets took it 15 s, so much of them takes 0.05 s.
 */
const maxPartCharacters = 8 * 1024

/**
 * The list that a text in JSON or YAML holds. YAML lists are read a few entries at a time, with turns of the loop in
 * between; what is no list of that form, `[a, b]` without quotes for one, may be as long as one such part.
 *
 * @throws {Error} where there is no list, or an entry is too long.
 */
export async function parseMemberList(text: string): Promise<readonly unknown[]> {
  const json = /^\s*[[{]/.test(text) ? parseJson(text) : undefined
  if (json !== undefined) return listOf(json)
  const entries: unknown[] = []
  for (const part of partsOf(text)) {
    if (part.length > maxPartCharacters) {
      throw new Error(`an entry, or a list that is no JSON, has more than ${maxPartCharacters} characters`)
    }
    const list: unknown = parse(part, { maxAliasCount: 0, logLevel: 'error', prettyErrors: false })
    for (const entry of listOf(list)) entries.push(entry)
    await nextTurn()
  }
  return entries
}

/** JSON by itself: it is most of what programs write, and the YAML reader is slower by far. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // YAML's own flow form begins in the same way.
    return undefined
  }
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new Error('it is no list; write "- 10.0.0.1:9100" for each member')
}

/** Whole entries of a block list, as many as go into one part; the text itself where it is no such list. */
function* partsOf(text: string): Generator<string> {
  const head = /^\uFEFF?(?:(?:[ \t]*(?:#.*)?|---[ \t]*)\r?\n)*( *)-(?=[ \t\r\n])/.exec(text)
  if (head === null) {
    yield text
    return
  }
  const indent = head[1] ?? ''
  const entries = new RegExp(`^${indent}-(?=[ \\t\\r\\n]|$)`, 'gm')
  let from = head[0].length - indent.length - 1
  let newest = from
  for (const { index } of text.matchAll(entries)) {
    if (index - from > maxPartCharacters && newest > from) {
      yield text.slice(from, newest)
      from = newest
    }
    newest = index
  }
  if (text.length - from > maxPartCharacters && newest > from) {
    yield text.slice(from, newest)
    from = newest
  }
  yield text.slice(from)
}
