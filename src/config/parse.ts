import { type Document, parseDocument, type YAMLError } from 'yaml'
import { buildSource, type ParsedText } from './build-source.ts'
import type { Fault } from './fault.ts'
import { printable } from './quote.ts'

/** Reads YAML 1.2 (core schema) and replaces variables. Throws nothing, whatever the text holds. */
export function parseText(text: string, env: Readonly<NodeJS.ProcessEnv>): ParsedText {
  let document: Document.Parsed
  try {
    document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      resolveKnownTags: false,
      merge: false,
      strict: true,
      stringKeys: true,
      // Duplicates are found while the tree is built: the comparison in the library is quadratic.
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'error',
    })
  } catch (error) {
    return { root: undefined, faults: [unparsable(error)] }
  }
  const errors: readonly YAMLError[] = [...document.errors, ...document.warnings]
  // What follows an exhausted stack are only consequences.
  const exhausted = errors.filter((error) => error.code === 'RESOURCE_EXHAUSTION').slice(0, 1)
  const faults = (exhausted.length > 0 ? exhausted : errors).map(fromYaml)
  const version = document.directives.yaml
  if (version.explicit === true && version.version !== '1.2') {
    faults.push({ path: [], on: 0, message: `this is YAML ${version.version}`, hint: 'remove the %YAML directive' })
  }
  if (faults.length > 0) return { root: undefined, faults }
  return buildSource(document.contents, env)
}

/** The parser calls itself for every level, so that only depth can exhaust the stack. */
function unparsable(error: unknown): Fault {
  const message = error instanceof RangeError ? 'values are nested too deeply' : 'this is not YAML'
  return { path: [], on: 0, message, hint: 'a bracket may be missing' }
}

function fromYaml(error: YAMLError): Fault {
  const known = error.message.startsWith('Flow') ? undefined : explanations[error.code]
  const [message, hint] = known ?? [`this is not YAML: ${printable(withoutSource(error))}`, '']
  return { path: [], on: error.pos[0], message, hint }
}

/** The library quotes what it did not expect, which may be a password. */
function withoutSource(error: YAMLError): string {
  return error.code === 'UNEXPECTED_TOKEN' ? error.message.replace(/:.*/s, '') : error.message
}

/** Faults that are met often, or that the library explains to programmers and not to operators. */
const explanations: Partial<Record<YAMLError['code'], readonly [message: string, hint: string]>> = {
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
