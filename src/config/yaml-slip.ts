import { Lexer, type YAMLError } from 'yaml'
import { plainName } from './foreign-name.ts'
import { keyPlaces } from './key-places.ts'

/** What an error of the parser comes from, and where that stands. */
export interface Slip {
  readonly on: number
  readonly message: string
  readonly hint: string
}

/** A slip that the parser reports in words or at a place that lead astray; undefined where there is none. */
export function explainSlip(error: YAMLError, text: string): Slip | undefined {
  return openQuote(error, text) ?? openBracket(error, text) ?? missingComma(error, text) ?? wrongIndent(error, text)
}

/** The parser reports where the text ends that the quotation mark opens, which may be the end of the file. */
function openQuote({ message, pos }: YAMLError, text: string): Slip | undefined {
  if (!message.startsWith('Missing closing')) return undefined
  let on = pos[0]
  for (const { token, offset } of tokensBefore(pos[0], text)) if (/^["']/.test(token)) on = offset
  return { on, message: 'a quotation mark is not closed', hint: 'add the closing one' }
}

/** The parser reports where the bracket should be closed at the latest, which may be the end of the file. */
function openBracket({ message, pos }: YAMLError, text: string): Slip | undefined {
  if (!/^Flow (?:map|sequence) /.test(message)) return undefined
  const open: { readonly on: number; readonly closing: string }[] = []
  for (const { token, offset } of tokensBefore(pos[0], text)) {
    const closing = closingBrackets.get(token)
    if (closing !== undefined) open.push({ on: offset, closing })
    else if (token === open.at(-1)?.closing) open.pop()
  }
  const last = open.at(-1)
  if (last === undefined) return undefined
  const hint = `add the closing "${last.closing}", on a line that is indented further than its key`
  return { on: last.on, message: 'a bracket is not closed', hint }
}

const closingBrackets: ReadonlyMap<string, string> = new Map([
  ['{', '}'],
  ['[', ']'],
])

/** The tokens that start before an offset. Text in quotes, plain text and comments are one token each. */
function* tokensBefore(end: number, text: string): Generator<{ token: string; offset: number }> {
  let offset = 0
  for (const token of new Lexer().lex(text)) {
    if (offset >= end) return
    if (lexerMarks.has(token)) continue
    yield { token, offset }
    offset += token.length
  }
}

/** Tokens that the lexer adds, which are no part of the text. */
const lexerMarks: ReadonlySet<string> = new Set(['\u0002', '\u0018', '\u001f'])

/** Longest part of the text behind an error that is looked at. */
const maxCharacters = 200

/** `{ address: 127.0.0.1:9101 weight: 2 }`: the second colon makes a map of what was meant as a value. */
function missingComma({ code, message, pos }: YAMLError, text: string): Slip | undefined {
  if (message.startsWith('Missing ,')) return { on: pos[0], message: commaMessage, hint: 'put a comma before this' }
  const isBehindBracket = message.startsWith('Unexpected scalar at node end') && isWithinBrackets(text, pos[0])
  if (code !== 'BLOCK_IN_FLOW' && !isBehindBracket) return undefined
  const form = isBehindBracket ? keyAtStart : keyBehindValue
  const [whole = '', key = ''] = form.exec(text.slice(pos[0], pos[0] + maxCharacters)) ?? []
  // Words that are no keys of the file may be a password.
  if (!keyPlaces().byName.has(plainName(key))) return undefined
  return { on: pos[0] + whole.length - key.length, message: commaMessage, hint: `put a comma before ${key}` }
}

const commaMessage = 'a comma may be missing'
const keyAtStart = /^([A-Za-z]\w{0,39})(?=:\s)/
const keyBehindValue = /^(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^"',{}[\]#]*?)\s+([A-Za-z]\w{0,39})(?=:\s)/

/** Whether a bracket of the same line is open. */
function isWithinBrackets(text: string, at: number): boolean {
  const line = text.slice(text.lastIndexOf('\n', at - 1) + 1, at).slice(-maxCharacters)
  return line.replace(/[^{[]/g, '').length > line.replace(/[^}\]]/g, '').length
}

/** Most lines above an error that are looked at. */
const maxLines = 200

interface Line {
  /** Offset of the first character that is no blank. */
  readonly start: number
  readonly number: number
  /** Columns, from 0, of the first `- ` and of the key behind it; undefined where there is none. */
  readonly dash: number | undefined
  readonly key: number | undefined
}

/** A line that starts in another column than those of its map or its list. */
function wrongIndent({ code, message, pos }: YAMLError, text: string): Slip | undefined {
  const isIndent = code === 'BAD_INDENT' && !message.startsWith('Flow')
  if (!isIndent && code !== 'BLOCK_AS_IMPLICIT_KEY' && !message.startsWith('Sequence item without')) return undefined
  const from = offending(text, pos[0])
  if (from === undefined) return undefined
  const line = readLine(text, from, 0)
  const glued = /^-["']?([A-Za-z]\w{0,39})["']?:\s/.exec(text.slice(line.start, line.start + maxCharacters))?.[1]
  if (glued !== undefined && keyPlaces().byName.has(plainName(glued))) {
    return { on: line.start, message: 'there is no blank after the "-"', hint: 'put a blank after the -' }
  }
  const kind = line.dash === undefined ? 'key' : 'dash'
  const meant = nearestColumn(line[kind], linesAbove(text, from), kind)
  if (meant === undefined) return undefined
  const what = kind === 'key' ? 'the key' : 'the "-"'
  const hint = `indent it as far as ${what} in line ${meant.number}: ${meant[kind]} blanks`
  return { on: line.start, message: 'the indentation does not fit the lines above', hint }
}

/**
 * Where the line starts that is not indented as it should. Behind a value without quotes that is the line which goes
 * on with it, as the parser sees it.
 */
function offending(text: string, at: number): number | undefined {
  const start = text.lastIndexOf('\n', at - 1) + 1
  if (text.slice(start, at).trim() === '') return contentLine(text, start)
  const end = text.indexOf('\n', at)
  if (end === -1 || /:(?:\s|$)/.test(text.slice(at, end))) return undefined
  const following = contentLine(text, end + 1)
  const next = readLine(text, following, 0)
  const above = readLine(text, start, 0)
  const isDeeper = next.key !== undefined && above.key !== undefined && next.key > above.key
  return isDeeper ? following : undefined
}

/** The start of the first line from `start` on that is neither empty nor a comment. */
function contentLine(text: string, start: number): number {
  let from = start
  for (let count = 0; count < maxLines; count++) {
    const end = text.indexOf('\n', from)
    if (end === -1 || /^\s*[^\s#]/.test(text.slice(from, end))) return from
    from = end + 1
  }
  return from
}

/** Lines that are neither empty nor a comment, the nearest first. */
function linesAbove(text: string, from: number): Line[] {
  let number = text.slice(0, from).split('\n').length
  const lines: Line[] = []
  for (let end = from - 1; end > 0 && lines.length < maxLines; ) {
    const start = text.lastIndexOf('\n', end - 1) + 1
    lines.push(readLine(text, start, --number))
    end = start - 1
  }
  return lines
}

function readLine(text: string, from: number, number: number): Line {
  const line = text.slice(from, from + maxCharacters).split('\n', 1)[0] ?? ''
  const [lead = '', dash = ''] = /^ *(-(?= ) *)?/.exec(line) ?? []
  const indent = lead.length - dash.length
  const hasKey = /^(?:"[^"]*"|'[^']*'|[^\s#"'{}[\],&*!|>%@`-][^\s:]*):(?:\s|$)/.test(line.slice(lead.length))
  return {
    start: from + indent,
    number,
    dash: dash === '' ? undefined : indent,
    key: hasKey ? lead.length : undefined,
  }
}

/** Of the lines whose map or list is still open, the one whose column is nearest. */
function nearestColumn(column: number | undefined, above: readonly Line[], kind: 'key' | 'dash'): Line | undefined {
  let best: Line | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  let open = Number.POSITIVE_INFINITY
  for (const line of above) {
    const own = line[kind]
    const distance = Math.abs((own ?? 0) - (column ?? 0))
    if (column !== undefined && own !== undefined && own < open && distance > 0 && distance < bestDistance) {
      best = line
      bestDistance = distance
    }
    open = Math.min(open, line.dash ?? line.key ?? open)
  }
  return best
}
