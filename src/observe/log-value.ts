import { McsError } from '../model/errors.ts'

/** What a log line may hold: JSON, and nothing that can fail or run away while it is written. */
export type LogValue = string | number | boolean | null | readonly LogValue[] | { readonly [key: string]: LogValue }

const MAX_DEPTH = 5
const MAX_ENTRIES = 100
const MAX_CHARACTERS = 8192

/**
 * `value` as a log shows it. Errors become their message, code, source and cause, and their stack where it is a fault of
 * the program; what JSON cannot say becomes a string; what is deeper than 5, longer than 100 entries or 8,192 characters
 * is cut.
 */
export function toLogValue(value: unknown, depth = 0): LogValue {
  if (typeof value === 'string') return cut(value)
  if (typeof value === 'boolean' || value === null) return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value !== 'object') return cut(String(value))
  if (depth >= MAX_DEPTH) return '…'
  if (value instanceof Error) return describeError(value, depth)
  if (value instanceof Date) return String(value.toJSON())
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`
  if (value instanceof Map) return toLogValue(Object.fromEntries(take(value)), depth)
  if (Array.isArray(value) || value instanceof Set) return take(value).map((entry) => toLogValue(entry, depth + 1))
  return describeObject(value, depth)
}

function describeObject(value: object, depth: number): LogValue {
  const result: Record<string, LogValue> = {}
  for (const [key, entry] of take(Object.entries(value))) {
    if (entry !== undefined) result[key] = toLogValue(entry, depth + 1)
  }
  return result
}

function describeError(error: Error, depth: number): LogValue {
  const code = (error as NodeJS.ErrnoException).code
  const known = error instanceof McsError
  const result: Record<string, LogValue> = {}
  if (code !== undefined) result.code = cut(String(code))
  if (known) result.source = error.source
  if (known) result.retryable = error.retryable
  result.message = cut(error.message)
  if (error.cause !== undefined) result.cause = toLogValue(error.cause, depth + 1)
  // An error with a code is an answer of the system or of the file; one without, or ours, is looked for in the source.
  const isFault = known ? error.source === 'internal' : code === undefined
  if (isFault && error.stack !== undefined) result.stack = cut(error.stack)
  return result
}

function take<T>(entries: Iterable<T>): T[] {
  const taken: T[] = []
  for (const entry of entries) {
    if (taken.length === MAX_ENTRIES) break
    taken.push(entry)
  }
  return taken
}

function cut(text: string): string {
  return text.length <= MAX_CHARACTERS ? text : `${text.slice(0, MAX_CHARACTERS)}…`
}
