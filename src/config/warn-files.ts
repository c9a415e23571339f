import { resolve } from 'node:path'
import { writtenKeys } from './cross-path.ts'
import { type Fault, formatPath } from './fault.ts'
import type { Machine } from './machine.ts'
import { pathValues } from './path-values.ts'
import { quote } from './quote.ts'
import type { WrittenDocument } from './written.ts'

/** Where files are looked for. */
export interface Base {
  /** Folder that relative paths start in. */
  readonly baseDirectory: string
  readonly machine: Machine
}

/** Files that are read and are not there. It is no fault: they may come later, and on another machine they may be there. */
export function warnMissingFiles(document: WrittenDocument, { baseDirectory, machine }: Base): Fault[] {
  return pathValues(document).flatMap(({ path, text }): Fault[] => {
    const file = resolve(baseDirectory, text)
    const isRead = !writtenKeys.has(formatPath(path)) && path.at(-2) !== 'persist'
    if (!isRead || !machine.isMissing(file)) return []
    const hint = 'make it, or write another path'
    return [{ path, on: 'value', message: `there is no file ${quote(file)} on this machine`, hint }]
  })
}
