import { quote } from './quote.ts'

/** Longest text that one value may become; nothing in the file is longer. */
const maxCharacters = 4096

export interface BadReference {
  readonly message: string
  readonly hint: string
  /** Whether the message quotes more of the text than the name of a variable. */
  readonly quotesText: boolean
}

export type Interpolation = { readonly text: string } | BadReference

const dollar = /\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|)/g

/**
 * Replaces `${NAME}`, `${NAME:-default}` and `$$` in one value. The default stands for a name that is unset or empty.
 * What is put in is not looked at again. Any other dollar is a fault, as it was hardly meant as it stands.
 */
export function interpolate(text: string, env: Readonly<NodeJS.ProcessEnv>): Interpolation {
  let result = ''
  let end = 0
  for (const match of text.matchAll(dollar)) {
    const [whole, escaped, name, fallback] = match
    result += text.slice(end, match.index)
    end = match.index + whole.length
    if (escaped !== undefined) {
      result += '$'
      continue
    }
    if (name === undefined) return malformed(text, match.index)
    const value = lookUp(env, name, fallback)
    if (value === undefined) return unset(name)
    result += value
    if (result.length > maxCharacters) return tooLong(name)
  }
  return { text: result + text.slice(end) }
}

function unset(name: string): Interpolation {
  return {
    message: `the environment variable ${quote(name)} is not set`,
    // A reload says the same: the environment of a process is that of its start.
    hint: `give a default: \${${name.slice(0, 64)}:-default}, or set it; a running process sees it after a restart`,
    quotesText: false,
  }
}

function malformed(text: string, at: number): Interpolation {
  const name = /^\$\{?([A-Za-z_][A-Za-z0-9_]{0,63})/.exec(text.slice(at, at + 80))?.[1] ?? 'NAME'
  return {
    message: `${quote(text.slice(at))} is not a reference to an environment variable`,
    hint: `write \${${name}} or \${${name}:-default}, or $$ for a dollar`,
    quotesText: true,
  }
}

function tooLong(name: string): Interpolation {
  return {
    message: `with the environment variable ${quote(name)} this is longer than ${maxCharacters} characters`,
    hint: 'give the variable a shorter value',
    quotesText: false,
  }
}

function lookUp(env: Readonly<NodeJS.ProcessEnv>, name: string, fallback: string | undefined): string | undefined {
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  return value === undefined || value === '' ? (fallback ?? value) : value
}
