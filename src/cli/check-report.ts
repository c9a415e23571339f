import { styleText } from 'node:util'
import { withoutSecrets } from '../config/without-secrets.ts'
import type { ConfigIssue } from '../model/errors.ts'
import { harmless } from './harmless.ts'

export interface ReportOptions {
  /** Whether ANSI colours are wanted; the environment and the terminal are not asked. */
  readonly colour: boolean
  /** The text that the issues are about; without it their lines are not shown. */
  readonly text?: string
}

type Style = Parameters<typeof styleText>[0]

const maxExcerptCharacters = 120

/** The issues for people: place, message, the line with a caret below it, and what would do. Ends in a newline. */
export function formatIssues(issues: readonly ConfigIssue[], { colour, text }: ReportOptions): string {
  const paint = (style: Style, part: string) => (colour ? styleText(style, part, { validateStream: false }) : part)
  const lines = text === undefined ? undefined : withoutSecrets(text.split('\n'))
  const blocks = issues.map((issue) => {
    const place = paint('bold', `${issue.file}:${issue.line}:${issue.column}:`)
    const path = issue.path === '' ? '' : `${issue.path}: `
    const hint = issue.hint === '' ? [] : [`  ${paint('green', 'hint:')} ${issue.hint}`]
    const line = lines?.[issue.line - 1]
    const shown = line === undefined ? [] : excerpt(line, issue, (caret) => paint('red', caret))
    return [`${place} ${paint('red', 'error:')} ${path}${issue.message}`, ...shown, ...hint].join('\n')
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

/** The line and a caret below the column. Of a long line only the part around the column is shown. */
function excerpt(line: string, issue: ConfigIssue, paint: (caret: string) => string): string[] {
  const number = issue.line
  // What is left of a line with a secret may be shorter.
  const column = Math.min(issue.column, line.length + 1)
  const start = column > maxExcerptCharacters - 20 ? column - maxExcerptCharacters / 2 : 0
  const part = harmless(line.slice(start, start + maxExcerptCharacters))
  const gutter = `${number}`.padStart(5)
  return [
    `${gutter} | ${part}`.trimEnd(),
    `${' '.repeat(gutter.length)} | ${' '.repeat(column - 1 - start)}${paint('^')}`,
  ]
}
