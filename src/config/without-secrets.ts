import { withoutCredentials } from './quote.ts'

/** A key whose value may be a password, a URL with one, or a login, however it is spelled; and where the value begins. */
const secretKey = /(?:pass\w{0,32}|pwd|urls?|send\w{0,32})["']?\s{0,64}[:=]\s{0,64}(?=[^\s#])/i

/**
 * The lines of a file as they may be shown to people. The value of a key that may hold a secret is cut off, whatever
 * else stands on its line, and so are the lines below that are indented further and may go on with it. It looks at the
 * text only, as a file that is no YAML has secrets too.
 */
export function withoutSecrets(lines: readonly string[]): string[] {
  let secretIndent = Number.POSITIVE_INFINITY
  return lines.map((line) => {
    const indent = /^[\s-]*/.exec(line)?.[0].length ?? 0
    if (indent > secretIndent && indent < line.length) return `${line.slice(0, indent)}…`
    const match = secretKey.exec(line)
    if (indent < line.length) secretIndent = match === null ? Number.POSITIVE_INFINITY : indent
    if (match === null) return withoutCredentials(line)
    return `${line.slice(0, match.index + match[0].length)}…`
  })
}
