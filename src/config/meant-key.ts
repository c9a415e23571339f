import type { Path } from './fault.ts'
import { foreignKeys, plainName } from './foreign-name.ts'
import { nearest } from './nearest.ts'
import { childSchema, type SchemaNode, schema, schemaAt } from './schema.ts'
import type { SourceNode } from './source.ts'
import { keyWithoutBlank } from './yaml-fault.ts'

/** Words that say so little, or are hoped for in so many places, that the same key elsewhere is hardly meant. */
const common: ReadonlySet<string> = new Set(['name', 'type', 'path', 'key', 'by', 'url', 'port', 'address', 'tls'])
const maxPlaces = 3

/** What was probably meant by an unknown key. */
export interface MeantKey {
  /** The key of the same map that was meant, if it is one. */
  readonly key: string | undefined
  readonly hint: string
}

/** Looks for an unknown key in the map at `path`, then under the names of other programs, then elsewhere in the file. */
export function meantKey(key: string, path: Path, value: SourceNode | undefined): MeantKey {
  const keys = Object.keys(schemaAt(path)?.properties ?? {})
  const before = keyWithoutBlank(key)
  if (before !== undefined && keys.includes(before)) return { key: before, hint: `put a blank after ${before}:` }
  const likely = nearest(key, keys)
  if (likely !== undefined) return didYouMean(likely)
  const here = templateOf(path)
  const places = placesOf(key, value)
  const beside = places.find((place) => place === join(here, place.split('.').at(-1) ?? ''))
  if (beside !== undefined) return didYouMean(beside.split('.').at(-1) ?? '')
  const inside = here === '' ? [] : places.filter((place) => place.startsWith(`${here}.`))
  const shown = shallowest(inside.length > 0 ? inside.map((place) => place.slice(here.length + 1)) : places)
  if (shown.length > 0 && shown.length <= maxPlaces) return { key: undefined, hint: `it is ${shown.join(' or ')}` }
  return { key: undefined, hint: `the keys here are ${keys.join(', ')}` }
}

function didYouMean(key: string): MeantKey {
  return { key, hint: `did you mean ${key}?` }
}

/** Where a key of this name stands whose value is of this kind; else where the key stands that others call so. */
function placesOf(key: string, value: SourceNode | undefined): readonly string[] {
  const plain = plainName(key)
  templates ??= collectTemplates()
  const known = templates
  const foreign = (foreignKeys.get(plain) ?? []).filter((place) => known.all.has(place))
  const isMap = value?.kind === 'map'
  const named = common.has(plain) ? [] : (known.byName.get(plain) ?? [])
  const own = named.filter((place) => known.all.get(place) === isMap)
  return own.length > 0 ? own : foreign
}

function shallowest(places: readonly string[]): string[] {
  const depth = (place: string) => place.split('.').length
  const least = Math.min(...places.map(depth))
  return places.filter((place) => depth(place) === least)
}

interface Templates {
  /** Paths such as `upstreams.<name>.servers[].weight`; the value says whether a map stands there. */
  readonly all: ReadonlyMap<string, boolean>
  /** The same by {@link plainName} of their last key. */
  readonly byName: ReadonlyMap<string, readonly string[]>
}

let templates: Templates | undefined

function collectTemplates(): Templates {
  const all = new Map<string, boolean>()
  const byName = new Map<string, string[]>()
  visit(schema, '', (template, key, node) => {
    all.set(template, node.type === 'object')
    byName.set(plainName(key), [...(byName.get(plainName(key)) ?? []), template])
  })
  return { all, byName }
}

function visit(node: SchemaNode, template: string, tell: (template: string, key: string, node: SchemaNode) => void) {
  const named = node.patternProperties && childSchema(node, 'name')
  if (named !== undefined) visit(named, `${template}.<name>`, tell)
  const item = childSchema(node, 0)
  if (item !== undefined) visit(item, `${template}[]`, tell)
  for (const key of Object.keys(node.properties ?? {})) {
    const inner = childSchema(node, key)
    if (inner === undefined) continue
    tell(join(template, key), key, inner)
    visit(inner, join(template, key), tell)
  }
}

/** The path as docs/configuration.md writes it. */
function templateOf(path: Path): string {
  let template = ''
  path.forEach((segment, index) => {
    const isName = schemaAt(path.slice(0, index))?.patternProperties !== undefined
    template = typeof segment === 'number' ? `${template}[]` : join(template, isName ? '<name>' : segment)
  })
  return template
}

function join(template: string, key: string): string {
  return template === '' ? key : `${template}.${key}`
}
