import { withoutCredentials } from './quote.ts'

/** A key whose value may be a password, a URL with one, or a login, however it is spelled. */
const secretKey = /(?:pas\w{0,32}|pwd|urls?|send\w{0,32})["']?(?:\s{0,64}[:=]|\s|$)/i

/** A map that has such keys, and in whose place a URL is written instead. */
const secretMap = /(?:discovery|postgres|redis|sentinel)["']?\s{0,64}[:=]\s{0,64}(?=[^\s{]|\{\{)/i

/** The start of a line that begins a new key or list entry. */
const keyStart = /^[\s-]*["']?[\w.]{1,64}["']?\s{0,64}:/

/**
 * The lines of a file as they may be shown to people. The value of a key that may hold a secret is cut off, whatever
 * else stands on its line, and so are the lines below that may go on with it. It looks at the text only, as a file that
 * is no YAML has secrets too.
 */
export function withoutSecrets(lines: readonly string[]): string[] {
  let secretIndent = Number.POSITIVE_INFINITY
  return lines.map((line) => {
    const indent = /^[\s-]*/.exec(line)?.[0].length ?? 0
    if (indent === line.length) return line
    const goesOn = secretIndent !== Number.POSITIVE_INFINITY && !keyStart.test(line)
    if (indent > secretIndent || goesOn) return `${line.slice(0, indent)}…`
    const end = Math.min(endOf(secretKey.exec(line)), endOf(secretMap.exec(line)))
    secretIndent = end === Number.POSITIVE_INFINITY ? end : indent
    if (end === Number.POSITIVE_INFINITY) return withoutCredentials(line)
    return `${line.slice(0, end).trimEnd()} …`
  })
}

/** Where a match ends; Infinity where there is none. */
function endOf(match: RegExpExecArray | null): number {
  return match === null ? Number.POSITIVE_INFINITY : match.index + match[0].length
}
