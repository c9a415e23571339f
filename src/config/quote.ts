const maxCharacters = 80

/** Characters that a terminal acts on or does not show, beside those that JSON escapes: C1, separators, bidi marks. */
const invisible = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** Text in double quotes for a message: escaped, so that it acts on no terminal, and cut after 80 characters. */
export function quote(text: string): string {
  return text.length > maxCharacters ? `"${escaped(text.slice(0, maxCharacters))}…"` : `"${escaped(text)}"`
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
