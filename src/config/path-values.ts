import type { Path } from './fault.ts'
import { isMap } from './placed-address.ts'
import { childSchema, type SchemaNode, schema } from './schema.ts'

export interface PathValue {
  readonly path: Path
  /** As it is written; it has a slash. */
  readonly text: string
}

/** Every value that is a path by its schema. A word in its place has no slash. */
export function pathValues(data: unknown): PathValue[] {
  const found: PathValue[] = []
  visit(data, schema, [], (value) => found.push(value))
  return found
}

function visit(value: unknown, node: SchemaNode | undefined, path: Path, tell: (value: PathValue) => void): void {
  if (node === undefined) return
  if (typeof value === 'string') {
    if (node.path !== undefined && value.includes('/')) tell({ path, text: value })
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) visit(item, childSchema(node, index), [...path, index], tell)
  } else if (isMap(value)) {
    for (const [key, item] of Object.entries(value)) visit(item, childSchema(node, key), [...path, key], tell)
  }
}
