import { balanceNotes, foreignWords, plainName } from './foreign-name.ts'
import { nearest } from './nearest.ts'
import type { SchemaNode } from './schema.ts'

/** Most words of a text that are looked at. */
const maxParts = 6

/** The words that a schema takes, beside which other forms may be allowed. */
export function wordsOf(schema: SchemaNode | undefined): readonly string[] {
  return schema?.enum ?? schema?.oneOf?.flatMap((branch) => branch.const ?? []).map(String) ?? []
}

/** What to write in place of a text where one of some words is meant; undefined where nothing is near. */
export function meantWord(text: string, words: readonly string[]): string | undefined {
  const likely = foreignWord(text, words)
  if (likely !== undefined) return likely
  const word = nearest(text, words)
  return word === undefined ? undefined : didYouMean(word)
}

/**
 * The same for text that another program takes: `least_conn`, or with arguments `random two least_conn`, `random(2)`,
 * `hash $remote_addr consistent`. The most words that have a meaning together count.
 */
export function foreignWord(text: string, words: readonly string[]): string | undefined {
  const parts = text
    .slice(0, 64)
    .split(/[\s(),]+/)
    .filter((part) => part !== '')
    .slice(0, maxParts)
  for (let count = parts.length; count > 0; count--) {
    const name = plainName(parts.slice(0, count).join(''))
    const note = words.includes('round-robin') ? balanceNotes.get(name)?.[0] : undefined
    if (note !== undefined) return note
    const meant = [...words.filter((word) => plainName(word) === name), ...(foreignWords.get(name) ?? [])]
    const word = meant.find((candidate) => words.includes(candidate))
    if (word !== undefined) return didYouMean(word)
  }
  return undefined
}

function didYouMean(word: string): string {
  return `did you mean ${word}?`
}
