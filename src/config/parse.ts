import { Composer, type CST, type Document, isMap, Parser, type YAMLError, YAMLParseError } from 'yaml'
import { buildSource, type ParsedText } from './build-source.ts'
import type { Fault } from './fault.ts'
import { explainForeignFile } from './foreign-file.ts'
import { explainYaml } from './yaml-fault.ts'

/** Reads YAML 1.2 (core schema) and replaces variables. Throws nothing, whatever the text holds. */
export function parseText(text: string, env: Readonly<NodeJS.ProcessEnv>): ParsedText {
  let document: Document.Parsed
  try {
    document = compose(text)
  } catch (error) {
    return { root: undefined, faults: [unparsable(error)] }
  }
  // What follows the first error, or an exhausted stack, are mostly its consequences.
  const errors: readonly YAMLError[] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0])
  const foreign = errors.length > 0 || !isMap(document.contents) ? explainForeignFile(text) : undefined
  if (foreign !== undefined) return { root: undefined, faults: [{ path: [], on: 0, ...foreign }] }
  const first = errors.find((error) => error.code === 'RESOURCE_EXHAUSTION') ?? errors[0]
  const faults = first === undefined ? [] : [explainYaml(first, text)]
  const version = document.directives.yaml
  if (version.explicit === true && version.version !== '1.2') {
    faults.push({ path: [], on: 0, message: `this is YAML ${version.version}`, hint: 'remove the %YAML directive' })
  }
  if (faults.length > 0) return { root: undefined, faults }
  return buildSource(document.contents, env)
}

const options = {
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
} as const

/** As parseDocument of the library does, which goes on after an error for a time that is quadratic as well. */
function compose(text: string): Document.Parsed {
  const composer = new Composer(options)
  const [first, second] = take(2, composer.compose(untilError(new Parser().parse(text)), true, text.length))
  if (first === undefined) throw new Error('no document')
  if (second !== undefined) {
    const [from, to] = second.range
    first.errors.push(new YAMLParseError([from, to], 'MULTIPLE_DOCS', 'there is a second document'))
  }
  return first
}

function* untilError(tokens: Iterable<CST.Token>): Generator<CST.Token> {
  for (const token of tokens) {
    yield token
    if (token.type === 'error') return
  }
}

function take<T>(count: number, items: Iterable<T>): T[] {
  const taken: T[] = []
  for (const item of items) if (taken.push(item) === count) break
  return taken
}

/** The parser calls itself for every level, so that only depth can exhaust the stack. */
function unparsable(error: unknown): Fault {
  const message = error instanceof RangeError ? 'values are nested too deeply' : 'this is not YAML'
  return { path: [], on: 0, message, hint: 'a bracket may be missing' }
}
