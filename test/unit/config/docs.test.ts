import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseConfig } from '#src/config/load.js'
import { childSchema, type SchemaNode, schema } from '#src/config/schema.js'
import { machine, root } from './fixture.ts'

const document = readFileSync(new URL('docs/configuration.md', root), 'utf8')
const [options = '', defaults = ''] = document.split('\n## Defaults\n')

interface Option {
  readonly path: string
  readonly node: SchemaNode
}

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
    return [{ path: innerPath, node: inner }, ...optionsOf(inner, innerPath)]
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

const all = optionsOf(schema, '')

test('configuration.md explains every option with its default', () => {
  assert.ok(all.length > 30)
  for (const { path, node } of all) {
    const cells = row(options, path)
    const expected = node.default === undefined ? 'required' : `\`${printed(node.default)}\``
    assert.equal(cells?.[2], expected, path)
    assert.ok((cells?.[3] ?? '').length > 5, `${path} has a meaning`)
    assert.ok(node.description !== undefined, `${path} has a description in the schema`)
  }
})

test('configuration.md states the bounds of every option', () => {
  for (const { path, node } of all) {
    const type = row(options, path)?.[1] ?? ''
    const rule = node.duration ?? node.size
    const number = [node, ...(node.oneOf ?? [])].find((branch) => branch.type === 'integer')
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
  assert.equal(parseConfig(example, 'lb.yaml', {}, machine).listeners.length, 1)
})

function printed(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
