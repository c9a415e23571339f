import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseConfig } from '#src/config/load.js'
import { schema } from '#src/config/schema.js'
import { ConfigError } from '#src/model/errors.js'
import { machine, minimal, root } from './fixture.ts'

const env = { PORT: '7000', WORD: 'auto', EMPTY: '', ODD: '\u001b[2J: [' }

/** Throws unless the text is taken, or refused by a ConfigError whose places are inside it. */
function hold(text: string): void {
  try {
    parseConfig(text, 'lb.yaml', env, machine)
  } catch (error) {
    assert.ok(error instanceof ConfigError, error instanceof Error ? error.stack : String(error))
    assert.ok(error.issues.length >= 1 && error.issues.length <= 101)
    const lines = text.split('\n')
    for (const issue of error.issues) {
      assert.ok(issue.line >= 1 && issue.line <= lines.length, `line ${issue.line} of ${lines.length}`)
      const length = lines[issue.line - 1]?.length ?? 0
      assert.ok(issue.column >= 1 && issue.column <= length + 1, `column ${issue.column} of ${length}`)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
      assert.doesNotMatch(issue.message + issue.hint + issue.path, /[\u0000-\u001f\u007f-\u009f\u202e]/)
      assert.ok(issue.message.length > 0 && issue.message.length < 700, issue.message)
    }
  }
}

const keys = [...new Set(JSON.stringify(schema).match(/"[A-Za-z]+":\{"description"/g) ?? [])].map(
  (match) => match.split('"')[1] ?? '',
)
const words = ['&a ', '*a', '!t ', '!!str ', '<<', '__proto__', 'constructor', 'unlimited', 'none', 'auto', '~', '.nan']
const values = [
  '0',
  '-1',
  '5s',
  '64KiB',
  '1',
  '10.0.0.1:80',
  '"[::1]:80"',
  'unix:/a',
  '/a/b',
  `\${PORT}`,
  `"\${ODD}"`,
  '$',
]
const marks = [
  ': ',
  ' ',
  '\n',
  '\n  ',
  '\n    ',
  '- ',
  '[',
  ']',
  '{',
  '}',
  ', ',
  '"',
  "'",
  '|\n',
  '>\n',
  '#',
  '\t',
  '---\n',
  '? ',
  '%',
  '@',
  '\u0000',
  '\ud800',
  '\r\n',
  '\u0085',
]
const piece = fc.oneof(fc.constantFrom(...keys), fc.constantFrom(...words, ...values), fc.constantFrom(...marks))

test('parseConfig() throws nothing but ConfigError for random text', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), hold), { numRuns: 300 })
})

test('parseConfig() throws nothing but ConfigError for random pieces of YAML', () => {
  const text = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(''))
  fc.assert(fc.property(text, hold), { numRuns: 3000 })
})

test('parseConfig() throws nothing but ConfigError for a good file with a part replaced', () => {
  const replaced = fc
    .tuple(fc.nat(minimal.length), fc.nat(20), fc.array(piece, { maxLength: 4 }))
    .map(([at, length, pieces]) => minimal.slice(0, at) + pieces.join('') + minimal.slice(at + length))
  fc.assert(fc.property(replaced, hold), { numRuns: 3000 })
})

test('parseConfig() throws nothing but ConfigError for any example with a part replaced', () => {
  const folder = new URL('config/examples/', root)
  const examples = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'))
  const replaced = fc
    .tuple(fc.constantFrom(...examples), fc.nat(1200), fc.nat(20), fc.array(piece, { maxLength: 4 }))
    .map(([text, at, length, pieces]) => text.slice(0, at) + pieces.join('') + text.slice(at + length))
  fc.assert(fc.property(replaced, hold), { numRuns: 3000 })
})

test('parseConfig() throws nothing but ConfigError for documents of random values', () => {
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ maxDepth: 4 }, fc.jsonValue({ maxDepth: 1 }), fc.constantFrom(...values), tie('map'), tie('list')),
    map: fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string({ maxLength: 5 })), tie('tree'), { maxKeys: 8 }),
    list: fc.array(tie('tree'), { maxLength: 4 }),
  }))
  fc.assert(
    fc.property(tree, (value) => hold(JSON.stringify(value))),
    { numRuns: 2000 },
  )
})
