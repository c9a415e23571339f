import { parseDuration, parseSize } from '../model/units.ts'
import { printable } from './quote.ts'
import { childSchema, holdsSecret, type SchemaNode, schema } from './schema.ts'
import type { SourceList, SourceNode, SourceScalar } from './source.ts'
import { checkNetwork } from './text-form.ts'

/** Maps that must have something, though none of their keys is required by itself. */
const needed: ReadonlyMap<SchemaNode | undefined, string> = new Map([
  [schema.$defs.upstream, 'a map with servers or discovery'],
  [schema.$defs.persist, '{ path: ./sticky.jsonl }, or { redis: {} }'],
  [schema.$defs.step, 'one of send, sendHex, expect, expectHex'],
])

/** How a map is written where something else stands; undefined where no map is meant. */
export function mapHint(node: SourceNode | undefined, map: SchemaNode | undefined): string | undefined {
  if (map?.type !== 'object' || node === undefined || node.kind === 'map') return undefined
  if (node.kind === 'list') return listHint(node, map)
  if (node.value === null) return `write ${emptyForm(map)}`
  // Sections that have a default are there without being written; the others are off.
  const isOn = map.default === undefined ? switched(node) : undefined
  if (isOn !== undefined) return isOn ? `write ${emptyForm(map)}` : 'remove it: without it there is none'
  const inner = map.properties?.networks === undefined ? onlyKey(node, map) : allowForm([node])
  return `write ${inner ?? emptyForm(map).replace(/^\{\}.*/, 'a map of keys and values')}`
}

function listHint({ items }: SourceList, map: SchemaNode): string | undefined {
  if (map.patternProperties !== undefined) return 'write a map: each name with a colon, and its keys indented below'
  if (map.properties?.networks !== undefined) return `write ${allowForm(items)}`
  if (map !== schema.$defs.health) return undefined
  return 'an upstream has one check, which is a map; send-expect includes the connect'
}

/** The first of a list of networks, or of ports, in its place. */
function allowForm([first]: readonly SourceNode[]): string {
  const text = first?.kind === 'scalar' && !first.replaced ? String(first.value) : ''
  if (/^\d{1,5}(?:-\d{1,5})?$/.test(text)) return `{ ports: [${text}] }`
  return `{ networks: [${checkNetwork(text) === undefined ? text : '10.0.0.0/8'}] }`
}

/** The least that the map may be. */
function emptyForm(map: SchemaNode): string {
  const least = needed.get(map)
  if (least !== undefined) return least
  if (map.patternProperties !== undefined) return 'a map of names'
  return map.required === undefined ? '{} for the defaults' : `a map with ${map.required.join(', ')}`
}

function switched({ value }: SourceScalar): boolean | undefined {
  if (value === true || value === 'on' || value === 'yes') return true
  return value === false || value === 'off' || value === 'no' ? false : undefined
}

/** The value below the only key of the map that takes it: `{ ttl: 30m }`. */
function onlyKey(node: SourceScalar, map: SchemaNode): string | undefined {
  const url = urlForm(node)
  if (url !== undefined && map === schema.$defs.persist) return `{ redis: { url: ${url} } }`
  if (url !== undefined) return map === schema.$defs.redis ? `{ url: ${url} }` : undefined
  const keys = Object.keys(map.properties ?? {}).filter((key) => takes(childSchema(map, key), node, holdsSecret(map)))
  if (keys.length !== 1) return undefined
  const text = node.replaced ? `"${printable(node.written)}"` : printable(String(node.value))
  return `{ ${keys[0]}: ${text} }`
}

/** The URL of a Redis, of which no more is shown than its scheme or the variable that holds it. */
function urlForm({ value, written, replaced }: SourceScalar): string | undefined {
  const scheme = typeof value === 'string' ? /^rediss?:\/\//i.exec(value)?.[0].toLowerCase() : undefined
  if (scheme === undefined) return undefined
  return replaced && isVariable(written) ? `"${written}"` : `"${scheme}…"`
}

/** Whether the key takes the value. Numbers and texts of any form may be a password where a map has one. */
function takes(node: SchemaNode | undefined, scalar: SourceScalar, hasSecret: boolean): boolean {
  const { value, written, replaced } = scalar
  if (node === undefined || node.secret || (replaced && !isVariable(written))) return false
  if (typeof value === 'boolean') return node.type === 'boolean'
  if (typeof value === 'number') {
    const { type, minimum = value, maximum = value } = node
    return !hasSecret && type === 'integer' && Number.isInteger(value) && value >= minimum && value <= maximum
  }
  if (value === null) return false
  const words = [node.enum, node.duration?.words, node.size?.words, node.path?.words].flatMap((list) => list ?? [])
  if (words.includes(value)) return true
  if (node.duration !== undefined) return parseDuration(value) !== undefined
  if (node.size !== undefined) return parseSize(value) !== undefined
  return node.path !== undefined && /^\.{0,2}\/[\w./-]{0,200}$/.test(value)
}

function isVariable(written: string): boolean {
  return /^\$\{[A-Za-z_]\w{0,63}\}$/.test(written)
}
