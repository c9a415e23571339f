import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadConfig, parseConfig } from '#src/config/load.js'
import { type SchemaNode, schema } from '#src/config/schema.js'
import { machine, root } from './fixture.ts'

const folder = new URL('config/examples/', root)
const examples = readdirSync(folder)

test('loadConfig() takes the packaged file, with and without its variable', async () => {
  const file = fileURLToPath(new URL('config/lb.yaml', root))
  const { config: packaged, warnings } = await loadConfig(file, {})
  assert.deepEqual(packaged.listeners[0]?.bind, [{ family: 'ipv4', host: '0.0.0.0', port: 64400 }])
  assert.deepEqual(warnings, [])
  const { config: moved } = await loadConfig(file, { MCS_PORT: '7000' })
  assert.deepEqual(moved.listeners[0]?.bind, [{ family: 'ipv4', host: '0.0.0.0', port: 7000 }])
})

for (const name of examples) {
  test(`parseConfig() takes config/examples/${name} without a warning, and it says first what it shows`, () => {
    const file = new URL(name, folder)
    const text = readFileSync(file, 'utf8')
    const { config, warnings } = parseConfig(text, fileURLToPath(file), {}, machine)
    assert.ok(config.listeners.length > 0)
    assert.deepEqual(warnings, [])
    assert.match(text, /^# [A-Z"]/)
  })
}

test('loadConfig() meets every option in at least one example', () => {
  const text = examples.map((name) => readFileSync(new URL(name, folder), 'utf8')).join('\n')
  const unused = keysOf(schema).filter((key) => !new RegExp(`(?:^|[\\s{,])${key}:`, 'm').test(text))
  assert.deepEqual(unused, [])
})

function keysOf(node: SchemaNode): string[] {
  const keys = Object.entries(node.properties ?? {}).flatMap(([key, inner]) => [key, ...keysOf(inner)])
  const named = '$defs' in node ? Object.values(schema.$defs).flatMap(keysOf) : []
  return [...keys, ...named]
}
