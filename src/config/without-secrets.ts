import { withoutCredentials } from './quote.ts'

/**
 * A key whose value may be a password, a URL with one, or a login, however it is spelled. The two of nginx are none: the
 * name of an upstream behind `proxy_pass`, and a count behind `passes`.
 */
const secretKey =
  /(?:(?<!\bproxy_(?=pass:\s[\w.-]{1,64}$))pas(?!ses:\s\d{1,3}\s?(?:[,}]|$))\w{0,32}|pwd|auth\w{0,32}|secret\w{0,32}|token\w{0,32}|urls?|send\w{0,32})["']?(?:\s{0,64}[:=]|\s|$)/gi

/**
 * A value within a map of one line that surely ends: in quotes, or a URL without a user. The next key or the end of the
 * line comes behind it.
 */
const wholeValue =
  /\s("(?:[^"\\]|\\.){0,4096}"|'[^']{0,4096}'|rediss?:\/\/[\w.-]{1,253}(?::\d{1,5})?(?:\/\d{1,3})?)(?=\s?(?:\}\s?){0,4}(?:$|,\s[A-Za-z]\w{0,39}:\s))/y

/** A map that has such keys, and in whose place a URL is written instead. */
const secretMap = /(?:discovery|postgres|redis|sentinel)["']?\s{0,64}[:=]\s{0,64}(?=[^\s{]|\{\{)/gi

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
    const shown = withoutValues(line)
    secretIndent = shown === undefined ? Number.POSITIVE_INFINITY : indent
    return withoutCredentials(shown ?? line)
  })
}

/** Most values of a line that are left out one by one. */
const maxValues = 16

/** The line without the values of its secret keys; undefined where it has no such key. */
function withoutValues(line: string): string | undefined {
  // Before what may be a user and a password, no value surely ends.
  const lastUser = line.lastIndexOf('@')
  let shown = ''
  let from = 0
  for (let count = 0; ; count++) {
    const key = firstMatch(secretKey, line, from)
    const map = firstMatch(secretMap, line, from)
    if (key === null && map === null) return from === 0 ? undefined : shown + line.slice(from)
    const end = Math.min(endOf(key), endOf(map))
    const valueEnd = key !== null && end === endOf(key) && key[0].endsWith(':') ? endOfValue(line, end) : undefined
    if (valueEnd === undefined || valueEnd <= lastUser || count === maxValues)
      return `${shown}${line.slice(from, end).trimEnd()} …`
    shown += `${line.slice(from, end)} …`
    from = valueEnd
  }
}

function firstMatch(pattern: RegExp, line: string, from: number): RegExpExecArray | null {
  pattern.lastIndex = from
  return pattern.exec(line)
}

/** Where the value behind a key ends; undefined where that is not sure. */
function endOfValue(line: string, from: number): number | undefined {
  const value = firstMatch(wholeValue, line, from)
  return value === null ? undefined : from + value[0].length
}

/** Where a match ends; Infinity where there is none. */
function endOf(match: RegExpExecArray | null): number {
  return match === null ? Number.POSITIVE_INFINITY : match.index + match[0].length
}
