import { styleText } from 'node:util'
import { withoutSecrets } from '../config/without-secrets.ts'
import type { ConfigIssue } from '../model/errors.ts'
import { harmless } from './harmless.ts'

export interface ReportOptions {
  /** Whether ANSI colours are wanted; the environment and the terminal are not asked. */
  readonly colour: boolean
  /** What the issues are, `error` unless told. */
  readonly severity?: 'error' | 'warning'
  /** The text that the issues are about; without it their lines are not shown. */
  readonly text?: string
}

type Style = Parameters<typeof styleText>[0]

const maxExcerptCharacters = 120

/** The issues for people: place, message, the line with a caret below it, and what would do. Ends in a newline. */
export function formatIssues(
  issues: readonly ConfigIssue[],
  { colour, severity = 'error', text }: ReportOptions,
): string {
  const hue = severity === 'error' ? 'red' : 'yellow'
  const paint = (style: Style, part: string) => (colour ? styleText(style, part, { validateStream: false }) : part)
  const written = text?.split('\n')
  const lines = written && withoutSecrets(written)
  const blocks = issues.map((issue) => {
    const place = paint('bold', `${issue.file}:${issue.line}:${issue.column}:`)
    const path = issue.path === '' ? '' : `${issue.path}: `
    const hint = issue.hint === '' ? [] : [`  ${paint('green', 'hint:')} ${issue.hint}`]
    const line = lines?.[issue.line - 1]
    const column = shownColumn(written?.[issue.line - 1] ?? '', line ?? '', issue.column)
    const shown = line === undefined ? [] : excerpt(line, issue.line, column, (caret) => paint(hue, caret))
    return [`${place} ${paint(hue, `${severity}:`)} ${path}${issue.message}`, ...shown, ...hint].join('\n')
  })
  return blocks.map((block) => `${block}\n`).join('')
}

/** The issues for programs: a JSON array with the members of ConfigIssue. Ends in a newline. */
export function formatIssuesAsJson(issues: readonly ConfigIssue[]): string {
  const rows = issues.map(({ file, line, column, path, message, hint }) => ({
    file,
    line,
    column,
    path,
    message,
    hint,
  }))
  return `${JSON.stringify(rows, undefined, 2)}\n`
}

/** Where a column of the file is in the line that is shown; undefined where it is behind what was cut off. */
function shownColumn(written: string, shown: string, column: number): number | undefined {
  const before = Math.min(column, written.length + 1) - 1
  if (written.slice(0, before) === shown.slice(0, before)) return before + 1
  const behind = written.slice(before)
  return shown.endsWith(behind) ? shown.length - behind.length + 1 : undefined
}

/** The line and a caret below the column. Of a long line only the part around the column is shown. */
function excerpt(line: string, number: number, column: number | undefined, paint: (caret: string) => string): string[] {
  const at = column ?? line.length
  const start = at > maxExcerptCharacters - 20 ? at - maxExcerptCharacters / 2 : 0
  const part = harmless(line.slice(start, start + maxExcerptCharacters))
  const gutter = `${number}`.padStart(5)
  const shown = `${gutter} | ${part}`.trimEnd()
  if (column === undefined) return [shown]
  return [shown, `${' '.repeat(gutter.length)} | ${' '.repeat(at - 1 - start)}${paint('^')}`]
}
