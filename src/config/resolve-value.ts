import { resolve as resolvePath } from 'node:path'
import type { SocketAddress } from '../model/address.ts'
import { parseDuration, parsePercent, parseRange, parseSize } from '../model/units.ts'
import { parseAddress } from './address.ts'
import type { AddressRole } from './schema.ts'

// What the schema has let through is turned into values; it sees to it that none of these fails.

/** An address of the file; a relative path of a unix socket starts at `baseDirectory`. */
export function address(text: string, role: AddressRole, baseDirectory: string): SocketAddress {
  const parsed = parseAddress(text, role)
  if ('message' in parsed) throw new TypeError(`The schema let an address through: ${parsed.message}`)
  const found = parsed.address
  return found.family === 'unix' ? { family: 'unix', path: resolvePath(baseDirectory, found.path) } : found
}

/** A word stays as it is; the schema sees to it that a path has a slash and a word has none. */
export function pathOrWord(text: string, baseDirectory: string): string {
  return text.includes('/') ? resolvePath(baseDirectory, text) : text
}

/** The words that stand for a duration, such as `unlimited`, `none` and `never`, mean that the time never comes. */
export function milliseconds(text: string): number {
  return parseDuration(text) ?? Number.POSITIVE_INFINITY
}

/** Infinity for `unlimited`. */
export function bytes(text: string): number {
  return parseSize(text) ?? Number.POSITIVE_INFINITY
}

/** A share from 0 to 1. */
export function share(text: string): number {
  return parsePercent(text) ?? 0
}

/** Whole numbers, both ends included; one number is a range too. */
export function range(value: string | number): { from: number; to: number } {
  return parseRange(String(value)) ?? { from: 0, to: -1 }
}
