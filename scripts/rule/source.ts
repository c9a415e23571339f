import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A source file: `path` relative to the folder that was read, with forward slashes. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** A rule that a file breaks. */
export interface Violation {
  readonly path: string
  /** 1-based. */
  readonly line: number
  readonly message: string
  readonly rule: string
}

/** Every TypeScript file below `root`, in the order of their paths. Empty when `root` does not exist. */
export function readSources(root: string): SourceFile[] {
  let names: string[]
  try {
    names = readdirSync(root, { recursive: true, encoding: 'utf8' })
  } catch {
    return []
  }
  return names
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

/** The 1-based line of an offset in `text`. */
export function lineAt(text: string, offset: number): number {
  let line = 1
  for (let i = text.indexOf('\n'); i !== -1 && i < offset; i = text.indexOf('\n', i + 1)) line++
  return line
}

/** Prints violations as `file:line: what (rule)` and returns the exit code of the check. */
export function report(root: string, violations: readonly Violation[]): number {
  for (const { path, line, message, rule } of violations) {
    console.error(`${join(root, path)}:${line}: ${message} (${rule})`)
  }
  return violations.length === 0 ? 0 : 1
}

// A token that is not code: comments, strings, and regular expressions where an expression may begin.
const notCode = new RegExp(
  [
    /\/\/[^\n]*/,
    /\/\*[\s\S]*?\*\//,
    /'(?:\\.|[^'\\\n])*'/,
    /"(?:\\.|[^"\\\n])*"/,
    /(?<=(?:^|[(,=:[!&|?{};+\n]|=>|\breturn|\bcase)[ \t]*)\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//,
  ]
    .map((part) => part.source)
    .join('|'),
  'y',
)

/**
 * The code of a TypeScript source at its own offsets: comments, the contents of strings and regular expressions, and
 * the text of templates become blanks; quotes, line ends and the expressions inside templates stay.
 */
export function codeOf(text: string): string {
  const code = text.split('')
  // One number for each open `${`: how many braces are open inside it.
  const templates: number[] = []
  let at = 0
  while (at < text.length) {
    notCode.lastIndex = at
    const token = notCode.exec(text)?.[0]
    if (token !== undefined) {
      blank(code, token, at)
      at += token.length
    } else if (text[at] === '`' || (text[at] === '}' && templates.at(-1) === 0)) {
      if (text[at] === '}') templates.pop()
      at = blankTemplate(text, code, at + 1, templates)
    } else {
      countBrace(text[at], templates)
      at++
    }
  }
  return code.join('')
}

function countBrace(character: string | undefined, templates: number[]): void {
  const depth = templates.length - 1
  if (depth < 0) return
  if (character === '{') templates[depth] = (templates[depth] ?? 0) + 1
  if (character === '}') templates[depth] = (templates[depth] ?? 0) - 1
}

function blank(code: string[], token: string, at: number): void {
  const quoted = token[0] === "'" || token[0] === '"'
  for (let i = quoted ? 1 : 0; i < token.length - (quoted ? 1 : 0); i++) {
    if (code[at + i] !== '\n') code[at + i] = ' '
  }
}

/** Blanks template text from `at` on; returns the offset after its closing backtick or its next `${`. */
function blankTemplate(text: string, code: string[], at: number, templates: number[]): number {
  for (let i = at; i < text.length; i++) {
    if (text[i] === '`') return i + 1
    if (text[i] === '$' && text[i + 1] === '{') {
      templates.push(0)
      return i + 2
    }
    if (text[i] === '\\') code[i++] = ' '
    if (text[i] !== '\n') code[i] = ' '
  }
  return text.length
}
