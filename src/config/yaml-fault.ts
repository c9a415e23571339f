import type { YAMLError } from 'yaml'
import type { Fault } from './fault.ts'
import { plainName } from './foreign-name.ts'
import { keyPlaces } from './key-places.ts'
import { printable } from './quote.ts'
import { explainSlip } from './yaml-slip.ts'

type Words = readonly [message: string, hint: string]

/** Says in one fault what an error of the parser means to the one who wrote `text`. */
export function explainYaml(error: YAMLError, text: string): Fault {
  const at = error.pos[0]
  const words = missingQuotes(text, at) ?? missingBlank(text, at) ?? finalColon(error, text)
  const slip = words === undefined ? explainSlip(error, text) : undefined
  if (slip !== undefined) return { path: [], ...slip }
  const [message, hint] = words ?? wordsFor(error)
  return { path: [], on: at, message, hint }
}

function wordsFor(error: YAMLError): Words {
  if (error.message.startsWith('Flow')) {
    return ['a bracket is not closed', 'close it, on a line that is indented further than its key']
  }
  const hint = 'a value may need quotes, or a bracket is missing'
  // What the library quotes of the text may be a password.
  const said = printable(error.message.replace(/:.*/s, ''))
  return explanations[error.code] ?? [`this is not YAML: ${said}`, hint]
}

/** Faults that are met often, or that the library explains to programmers and not to operators. */
const explanations: Partial<Record<YAMLError['code'], Words>> = {
  BAD_DIRECTIVE: ['this directive is not known', 'remove the line that starts with a "%"'],
  BAD_DQ_ESCAPE: ['a backslash in this text stands for nothing', 'write two of them, or use single quotes'],
  BAD_INDENT: ['the indentation does not fit the lines above', 'keys of one map start in the same column'],
  BAD_SCALAR_START: ['no plain text starts with this character', 'put it in quotes'],
  BLOCK_AS_IMPLICIT_KEY: ['a nested map cannot start on this line', 'put it on the next line, indented further'],
  KEY_OVER_1024_CHARS: ['a key is longer than 1024 characters', 'a ":" may be missing or misplaced'],
  MULTILINE_IMPLICIT_KEY: ['a key spans several lines', 'a ":" may be missing or misplaced'],
  MULTIPLE_DOCS: ['a second document starts here', 'remove the "---" or "..." line; the file is one document'],
  NON_STRING_KEY: ['a key is not a plain word', 'write it as text; a variable within [ ] or { } needs quotes'],
  RESOURCE_EXHAUSTION: ['values are nested too deeply', 'a bracket may be missing'],
  TAB_AS_INDENT: ['a tab is used for indentation', 'indent with spaces'],
  TAG_RESOLVE_FAILED: ['this tag is not known', 'remove the word that starts with "!"'],
}

/** Longest part of a line, on either side of an error, that is looked at. */
const maxCharacters = 200
const bracketed = /\[[0-9A-Fa-f:.]{0,45}\]:\d{1,5}|\$\{[A-Za-z_]\w{0,63}(?:[:}]|$)/g
const quoted = /"(?:[^"\\]|\\.)*"|'[^']*'/g

/** An address or a variable whose bracket the parser took for its own. */
function missingQuotes(text: string, at: number): Words | undefined {
  const start = Math.max(text.lastIndexOf('\n', at - 1) + 1, at - maxCharacters)
  const rest = text.slice(start, at + maxCharacters).split('\n', 1)[0] ?? ''
  const line = rest.replace(quoted, (part) => ' '.repeat(part.length))
  for (const match of line.matchAll(bracketed)) {
    const from = start + match.index
    if (at < from || at > from + match[0].length) continue
    return match[0].startsWith('$')
      ? ['a variable within { } or [ ] is not in quotes', 'put the value in quotes']
      : [`the address ${match[0]} is not in quotes`, `put it in quotes: "${match[0]}"`]
  }
  return undefined
}

/** `bind:127.0.0.1:80` is no key and value to YAML, but text, and the parser stumbles over what follows. */
function missingBlank(text: string, at: number): Words | undefined {
  const key = keyWithoutBlank(text.slice(at, at + maxCharacters))
  return key === undefined ? undefined : [`there is no blank after "${key}:"`, `put a blank after ${key}:`]
}

/**
 * `prefix: mcs:node:` has two keys to YAML. The value is only shown where the key before it is one that no secret
 * belongs to.
 */
function finalColon({ code, pos }: YAMLError, text: string): Words | undefined {
  if (code !== 'BLOCK_AS_IMPLICIT_KEY' && code !== 'BLOCK_IN_FLOW') return undefined
  const value = endingInColon.exec(text.slice(pos[0], pos[0] + maxCharacters))?.[0]
  if (value === undefined) return undefined
  const key = /([\w-]{1,40})["']?:\s+$/.exec(text.slice(Math.max(0, pos[0] - maxCharacters), pos[0]))?.[1] ?? ''
  const isShown = keyPlaces().harmless.has(plainName(key)) && !/[@"\\]|:\/\//.test(value)
  return ['text that ends in a colon is a key', `put it in quotes${isShown ? `: "${printable(value)}"` : ''}`]
}

const endingInColon = /^[A-Za-z0-9_./][^\s{}[\],]*:(?=[ \t]*(?:#.*)?(?:\r?\n|$)|\s*[,}\]])/

/** The key of text such as `bind:127.0.0.1:80`; undefined where it does not start with one of this file's keys. */
export function keyWithoutBlank(text: string): string | undefined {
  const word = /^([A-Za-z]{2,40}):(?=[^\s/])/.exec(text)?.[1]
  return word !== undefined && keyPlaces().byName.has(plainName(word)) ? word : undefined
}
