import type { Fault } from './fault.ts'
import { childSchema, type SchemaNode, schema } from './schema.ts'
import type { SourceNode } from './source.ts'

/** Most values in a document once its aliases are written out. */
const maxValues = 400_000

export interface DocumentData {
  readonly data: unknown
  readonly faults: readonly Fault[]
}

/** Deepest nesting once aliases are written out; the schema needs six. */
const maxDepth = 32

/** Writes the source out as plain data for the validator. Text that came from a variable takes the schema's type. */
export function toData(root: SourceNode): DocumentData {
  const writer = new Writer()
  const data = writer.write(root, schema, 0)
  if (writer.valuesLeft > 0) return { data, faults: [] }
  const message = `with its aliases written out the file has more than ${maxValues} values or ${maxDepth} levels`
  return { data: undefined, faults: [{ path: [], on: 'value', message, hint: 'use fewer aliases' }] }
}

class Writer {
  valuesLeft = maxValues

  write(node: SourceNode, nodeSchema: SchemaNode | undefined, depth: number): unknown {
    if (depth > maxDepth) this.valuesLeft = 0
    if (this.valuesLeft <= 0 || --this.valuesLeft <= 0) return null
    if (node.kind === 'scalar') {
      return node.replaced && typeof node.value === 'string' ? typed(node.value, nodeSchema) : node.value
    }
    if (node.kind === 'list') {
      const itemSchema = nodeSchema && childSchema(nodeSchema, 0)
      return node.items.map((item) => this.write(item, itemSchema, depth + 1))
    }
    // Without a prototype, so that a key such as "__proto__" is a key like any other.
    const map: Record<string, unknown> = Object.create(null)
    for (const [key, entry] of node.entries) {
      map[key] = this.write(entry.value, nodeSchema && childSchema(nodeSchema, key), depth + 1)
    }
    return map
  }
}

/** The text as a number or boolean where the schema takes one and it reads as one. */
function typed(text: string, node: SchemaNode | undefined): unknown {
  const branches = node?.oneOf ?? [node]
  const takes = (type: string) => branches.some((branch) => branch?.type === type || typeof branch?.const === type)
  if ((takes('integer') || takes('number')) && /^[-+]?\d{1,15}$/.test(text)) return Number(text)
  if (takes('boolean') && (text === 'true' || text === 'false')) return text === 'true'
  return text
}
