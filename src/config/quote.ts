const maxCharacters = 80

/** Characters that a terminal acts on or does not show, beside those that JSON escapes: C1, separators, bidi marks. */
const invisible = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/**
 * Text in double quotes for a message: escaped, so that it acts on no terminal, without the user and password of a
 * URL, and cut after 80 characters.
 */
export function quote(text: string): string {
  const shown = withoutCredentials(text)
  return shown.length > maxCharacters ? `"${escaped(shown.slice(0, maxCharacters))}…"` : `"${escaped(shown)}"`
}

/** A key for a message. What follows a colon or an equals sign is a value whose blank is missing, maybe a password. */
export function quoteKey(key: string): string {
  return quote(key.slice(0, 2 * maxCharacters).replace(/[:=].*|(?<=pass\w*|url|send\w*)\s.*/is, '…'))
}

/** Text in which no URL has a user and a password. */
export function withoutCredentials(text: string): string {
  const start = text.indexOf('://')
  const end = text.lastIndexOf('@')
  return start === -1 || end < start ? text : `${text.slice(0, start)}://…${text.slice(end)}`
}

/** Text of others within a message of ours: its first line, escaped like a quote. */
export function printable(text: string): string {
  return escaped(text.split('\n', 1)[0]?.slice(0, 200) ?? '').replaceAll('\\"', '"')
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1).replace(invisible, escapeCharacter)
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
