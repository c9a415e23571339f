import type { Path } from './fault.ts'
import { plainName } from './foreign-name.ts'
import { childSchema, holdsSecret, type SchemaNode, schema, schemaAt } from './schema.ts'

/** Every key of the file. */
export interface KeyPlaces {
  /** Paths such as `upstreams.<name>.servers[].weight`; the value says whether a map stands there. */
  readonly all: ReadonlyMap<string, boolean>
  /** The same by {@link plainName} of their last key. */
  readonly byName: ReadonlyMap<string, readonly string[]>
  /** Names, as {@link plainName} gives them, of keys whose value is in no place a secret. */
  readonly harmless: ReadonlySet<string>
}

/** Where the keys of the schema stand. */
export function keyPlaces(): KeyPlaces {
  collected ??= collect()
  return collected
}

let collected: KeyPlaces | undefined

function collect(): KeyPlaces {
  const all = new Map<string, boolean>()
  const byName = new Map<string, string[]>()
  const secret = new Set<string>()
  visit(schema, '', (template, key, node) => {
    all.set(template, node.type === 'object')
    byName.set(plainName(key), [...(byName.get(plainName(key)) ?? []), template])
    if (holdsSecret(node)) secret.add(plainName(key))
  })
  return { all, byName, harmless: new Set([...byName.keys()].filter((name) => !secret.has(name))) }
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
export function templateOf(path: Path): string {
  let template = ''
  path.forEach((segment, index) => {
    const isName = schemaAt(path.slice(0, index))?.patternProperties !== undefined
    template = typeof segment === 'number' ? `${template}[]` : join(template, isName ? '<name>' : segment)
  })
  return template
}

/** A path with one key more. */
function join(template: string, key: string): string {
  return template === '' ? key : `${template}.${key}`
}
