import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseConfig } from '#src/config/load.js'
import { childSchema, type SchemaNode, schema } from '#src/config/schema.js'
import { machine, root } from './fixture.ts'

const document = readFileSync(new URL('docs/configuration.md', root), 'utf8')
const [options = '', defaults = ''] = document.split('\n## Defaults\n')

interface Option {
  readonly path: string
  readonly node: SchemaNode
  readonly isRequired: boolean
}

/** Maps that stand in several places: the document explains their keys once, below this name. */
const shared: Readonly<Record<string, string>> = { redis: '<redis>', clientTls: '<tls>' }
const sharedNodes = new Map(Object.entries(shared).map(([name, path]) => [schema.$defs[name], path]))

/** Every key of the schema, as the document names it: `listeners.<name>.bind`, `servers[].weight`. */
function optionsOf(node: SchemaNode, path: string): Option[] {
  const named = node.patternProperties && childSchema(node, 'name')
  if (named !== undefined) return optionsOf(named, `${path}.<name>`)
  const item = node.items && childSchema(node, 0)
  if (item !== undefined) return optionsOf(item, `${path}[]`)
  return Object.keys(node.properties ?? {}).flatMap((key) => {
    const inner = childSchema(node, key)
    assert.ok(inner !== undefined)
    const innerPath = path === '' ? key : `${path}.${key}`
    const option = { path: innerPath, node: inner, isRequired: node.required?.includes(key) ?? false }
    return sharedNodes.has(inner) ? [option] : [option, ...optionsOf(inner, innerPath)]
  })
}

/** The cells of the row whose first cell is a key. */
function row(text: string, key: string): string[] | undefined {
  return rows(text).find((cells) => cells[0] === `\`${key}\``)
}

function rows(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('| `'))
  return lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
}

const all = [
  ...optionsOf(schema, ''),
  ...[...sharedNodes].flatMap(([node, path]) => (node === undefined ? [] : optionsOf(node, path))),
]

test('configuration.md explains every option with its default', () => {
  assert.ok(all.length > 30)
  for (const { path, node, isRequired } of all) {
    const cells = row(options, path)
    const none = isRequired ? 'required' : '–'
    const expected = node.default === undefined ? none : `\`${printed(node.default)}\``
    assert.equal(cells?.[2], expected, path)
    assert.ok((cells?.[3] ?? '').length > 5, `${path} has a meaning`)
    assert.ok(node.description !== undefined, `${path} has a description in the schema`)
  }
})

test('configuration.md states the bounds of every option', () => {
  for (const { path, node } of all) {
    const type = row(options, path)?.[1] ?? ''
    const rule = node.duration ?? node.size
    if (node.percent !== undefined) assert.ok(type.includes(`${node.percent.minimum} to ${node.percent.maximum}`), path)
    const number = [node, ...branchesOf(node), ...branchesOf(node.items)].find((branch) => branch.type === 'integer')
    if (rule !== undefined) assert.ok(type.includes(`${rule.minimum} to ${rule.maximum}`), path)
    if (number !== undefined) assert.ok(type.includes(`${number.minimum} to ${number.maximum}`), path)
    const words = [...(node.enum ?? []), ...(rule?.words ?? []), ...(node.path?.words ?? [])]
    for (const word of words) assert.ok(type.includes(`\`${word}\``), `${path} takes ${word}`)
  }
})

test('configuration.md has one row of defaults for every option that has one', () => {
  const expected = all.filter(({ node }) => node.default !== undefined && node.type !== 'object')
  for (const { path, node } of expected) assert.equal(row(defaults, path)?.[1], `\`${printed(node.default)}\``, path)
  assert.equal(rows(defaults).length, expected.length)
})

test('configuration.md names no option that does not exist', () => {
  const known = new Set(all.map(({ path }) => `\`${path}\``))
  const named = rows(options.slice(options.indexOf('## Options of the process'))).map((cells) => cells[0] ?? '')
  assert.deepEqual(new Set(named), known)
})

test('configuration.md shows a file that works', () => {
  const example = /```yaml\n([\s\S]*?)```/.exec(document)?.[1] ?? ''
  assert.deepEqual(parseConfig(example, 'lb.yaml', {}, machine).warnings, [])
})

test('configuration.md has a section and an example for every algorithm', () => {
  const balance = all.find(({ path }) => path === 'upstreams.<name>.balance')?.node.enum ?? []
  assert.ok(balance.length >= 6)
  for (const name of balance) {
    const section = document.split(`\n### ${name}\n`)[1]?.split('\n#')[0] ?? ''
    const example = /`(config\/examples\/[a-z-]+\.yaml)`/.exec(section)?.[1] ?? 'none'
    const text = readFileSync(new URL(example, root), 'utf8')
    assert.ok(text.includes(`balance: ${name}\n`), `${example} shows ${name}`)
  }
})

for (const name of readdirSync(new URL('docs/', root)).filter((file) => file.startsWith('from-'))) {
  const page = readFileSync(new URL(`docs/${name}`, root), 'utf8')

  test(`docs/${name} shows files that work`, () => {
    const blocks = [...page.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(([, text = '']) => text)
    assert.ok(blocks.length > 0)
    for (const block of blocks) assert.deepEqual(parseConfig(block, 'lb.yaml', {}, machine).warnings, [])
  })

  test(`docs/${name} names no key that does not exist`, () => {
    const paths = all.map(({ path }) => `.${path.replace('<tls>', 'tls')}`)
    const named = [...page.matchAll(/`([a-z][A-Za-z]*(?:\[\])?(?:\.[a-z][A-Za-z]*)+)`/g)].map(([, key = '']) => key)
    const keys = named.filter((key) => !/\.(?:yaml|md)$/.test(key))
    assert.ok(keys.length > 10)
    assert.deepEqual(
      keys.filter((key) => !paths.some((path) => path.endsWith(`.${key}`))),
      [],
    )
  })
}

function branchesOf(node: SchemaNode | undefined): readonly SchemaNode[] {
  return node?.oneOf ?? []
}

function printed(value: unknown): string {
  if (value === '') return '""'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
