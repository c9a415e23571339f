import type { ConfigIssue } from '../model/errors.ts'
import { quoteKey } from './quote.ts'
import { childSchema, type SchemaNode, schema } from './schema.ts'
import { type LinePositions, offsetOf, type SourceNode } from './source.ts'

/** Keys and list positions that lead from the document to a value. */
export type Path = readonly (string | number)[]

/** What is wrong somewhere in the document, before it has a line and a column. */
export interface Fault {
  readonly path: Path
  /** Which end of the entry at `path` it is about; a number is an offset in the text. */
  readonly on: 'key' | 'value' | number
  readonly message: string
  readonly hint: string
}

/** Most issues that are listed; one more says how many were left out. */
const maxIssues = 100

/** The text that faults are about. */
export interface FaultyText {
  readonly file: string
  readonly positions: LinePositions
  readonly root: SourceNode | undefined
}

/** The faults, or what `noun` says they are, in the order of the file, with line and column; `unexplained` more are only counted. */
export function toIssues(
  faults: readonly Fault[],
  { file, positions, root }: FaultyText,
  unexplained = 0,
  noun: 'faults' | 'warnings' = 'faults',
): ConfigIssue[] {
  const placed = faults.map((fault) => ({
    fault,
    offset: typeof fault.on === 'number' ? fault.on : offsetOf(root, fault.path, fault.on),
  }))
  placed.sort((a, b) => a.offset - b.offset)
  const issues = placed.slice(0, maxIssues).map(({ fault, offset }) => {
    const { line, column } = positions.at(offset)
    return { file, line, column, path: formatPath(fault.path), message: fault.message, hint: fault.hint }
  })
  const omitted = placed.length - issues.length + unexplained
  const last = issues.at(-1)
  if (omitted > 0 && last !== undefined) {
    issues.push({
      ...last,
      path: '',
      message: `${omitted} more ${noun} are not listed`,
      hint: 'mend those above first',
    })
  }
  return issues
}

/**
 * `upstreams.chat.servers[0].weight`; a key that is no plain name stands in quotes. It goes no further than a secret, or
 * a key that the schema does not know.
 */
export function formatPath(path: Path): string {
  let text = ''
  let node: SchemaNode | undefined = schema
  for (const segment of path) {
    if (node === undefined || node.secret) break
    node = childSchema(node, segment)
    if (typeof segment === 'number') text += `[${segment}]`
    else text += `${text === '' ? '' : '.'}${/^[A-Za-z0-9._-]{1,64}$/.test(segment) ? segment : quoteKey(segment)}`
  }
  return text
}
