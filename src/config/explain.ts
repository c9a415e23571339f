import type { Fault, Path } from './fault.ts'
import { expected } from './keywords.ts'
import { nearest } from './nearest.ts'
import { quote, quoteKey } from './quote.ts'
import { isSecret, type SchemaNode, schemaAt } from './schema.ts'
import { nodeAt, type SourceNode } from './source.ts'
import type { Violation } from './validate.ts'

/** Says in one fault what a violation means to the one who wrote the file; undefined where it was said before. */
export function explain(violation: Violation, root: SourceNode): Fault | undefined {
  const { keyword, path, params } = violation
  const node = nodeAt(root, path)
  if (node?.kind === 'scalar' && node.broken) return undefined
  const schema = schemaAt(path)
  const named = describe(node, path)
  const hint = `write ${expected(schema)}`
  const at = { path, on: 'value', hint } as const
  switch (keyword) {
    case 'additionalProperties':
      return unknownKey(violation, schema)
    case 'required':
      return missingKey(violation, schema)
    case 'minProperties':
    case 'minItems':
      return { ...at, message: 'this is empty', hint: emptyHint(schema) }
    case 'maxProperties':
    case 'maxItems':
      return { ...at, message: `this has more than ${params.limit} entries`, hint: 'use fewer' }
    case 'minLength':
      // Text that is too short for its form is no such form, which is said by that.
      if (node?.kind === 'scalar' && node.value !== '') return undefined
      return { ...at, message: 'this is empty text' }
    case 'maxLength':
      return { ...at, message: `${named} is longer than ${params.limit} characters` }
    case 'minimum':
      return { ...at, message: `${named} is less than ${params.limit}` }
    case 'maximum':
      return { ...at, message: `${named} is more than ${params.limit}` }
    case 'const':
    case 'enum':
      return { ...at, message: `${named} is not ${wanted(schema)}`, hint: wordHint(node, schema) }
    case 'type':
    case 'oneOf':
      return wrongType(violation, node, schema)
    default:
      return ownKeyword(violation, node)
  }
}

function unknownKey({ path, params }: Violation, schema: SchemaNode | undefined): Fault {
  const key = String(params.additionalProperty)
  const place = { path: [...path, key], on: 'key' } as const
  if (schema?.patternProperties !== undefined) {
    const hint = 'a name has 1 to 64 characters of A-Z, a-z, 0-9, ".", "_" and "-"'
    return { ...place, message: `${quote(key)} is not a name`, hint }
  }
  const keys = Object.keys(schema?.properties ?? {})
  const likely = nearest(key, keys)
  const hint = likely === undefined ? `the keys here are ${keys.join(', ')}` : `did you mean ${likely}?`
  return { ...place, message: `the key ${quoteKey(key)} is not known`, hint }
}

function missingKey({ path, params }: Violation, schema: SchemaNode | undefined): Fault {
  const key = String(params.missingProperty)
  const example = schema?.properties?.[key]
  const what = example?.enum === undefined ? meaning(example) : expected(example)
  return { path, on: 'key', message: `the key "${key}" is missing`, hint: `add it: ${what}` }
}

/** The first sentence of a description, without the colon or full stop that ends it. */
function meaning(schema: SchemaNode | undefined): string {
  const sentence = /^[^.:]*/.exec(schema?.description ?? '')?.[0] ?? ''
  return sentence.charAt(0).toLowerCase() + sentence.slice(1)
}

function wrongType({ path }: Violation, node: SourceNode | undefined, schema: SchemaNode | undefined): Fault {
  const place = { path, on: 'value' } as const
  const named = describe(node, path)
  const unit = schema?.duration ?? schema?.size
  if (node?.kind === 'scalar' && node.value === null) {
    if (path.length === 0) return { ...place, message: 'the file is empty', hint: `it needs ${requiredKeys(schema)}` }
    return { ...place, message: 'this key has no value', hint: `remove it, or write ${expected(schema)}` }
  }
  if (unit !== undefined && node?.kind === 'scalar' && typeof node.value === 'number') {
    return { ...place, message: `${named} has no unit`, hint: unitHint(node.value, schema) }
  }
  // Digits that are meant as text, as those of a password.
  if (isText(schema) && node?.kind === 'scalar' && typeof node.value === 'number') {
    return { ...place, message: `${named} is a number, not text`, hint: 'put it in quotes' }
  }
  if (schema?.percent !== undefined && node?.kind === 'scalar' && typeof node.value === 'number') {
    return { ...place, message: `${named} has no unit`, hint: percentHint(node.value, schema) }
  }
  const quoted = node?.kind === 'scalar' && typeof node.value === 'string' && /^(?:\d+|true|false)$/.test(node.value)
  const bare = quoted && !node.replaced && (schema?.type === 'integer' || schema?.type === 'boolean' || schema?.oneOf)
  if (bare) return { ...place, message: `${named} is text`, hint: 'remove the quotes' }
  const word = wordHint(node, schema)
  return { ...place, message: `${named} is not ${wanted(schema)}`, hint: word }
}

/** The keyword has already said what is wrong; only the variable that it came from is added. */
function ownKeyword({ path, params }: Violation, node: SourceNode | undefined): Fault {
  const message = typeof params.message === 'string' ? params.message : 'this value is not allowed'
  return {
    path,
    on: 'value',
    message: `${message}${isSecret(path) ? '' : origin(node)}`,
    hint: String(params.hint ?? ''),
  }
}

/** Whether text of any kind fits, or of a form that digits may have. */
function isText(schema: SchemaNode | undefined): boolean {
  if (schema?.type !== 'string' || schema.enum !== undefined) return false
  return schema.form === 'hex' || schema.form === 'plain' || expected(schema) === 'text'
}

function wordHint(node: SourceNode | undefined, schema: SchemaNode | undefined): string {
  const words = schema?.enum ?? schema?.oneOf?.flatMap((branch) => branch.const ?? []).map(String) ?? []
  const text = node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined
  const likely = text === undefined ? undefined : nearest(text, words)
  return likely === undefined ? `write ${expected(schema)}` : `did you mean ${likely}?`
}

function requiredKeys(schema: SchemaNode | undefined): string {
  return schema?.required?.join(', ') ?? 'a value'
}

function unitHint(value: number, schema: SchemaNode | undefined): string {
  if (!Number.isInteger(value) || value <= 0) return `write ${expected(schema)}`
  return schema?.size === undefined ? `write ${value}ms or ${value}s` : `write ${value}B or ${value}MiB`
}

function percentHint(value: number, schema: SchemaNode): string {
  return Number.isInteger(value) && value >= 0 && value <= 100 ? `write ${value}%` : `write ${expected(schema)}`
}

function wanted(schema: SchemaNode | undefined): string {
  if (schema?.oneOf?.some((branch) => branch.items)) return 'an address or a list of addresses'
  return schema?.duration ? 'a duration' : schema?.size ? 'a size' : schema?.address ? 'an address' : expected(schema)
}

function emptyHint(schema: SchemaNode | undefined): string {
  return schema?.patternProperties === undefined ? 'give it at least one entry' : 'give it at least one name'
}

function describe(node: SourceNode | undefined, path: Path): string {
  if (node === undefined || (node.kind === 'scalar' && isSecret(path))) return 'this'
  if (node.kind === 'map') return 'a map of keys and values'
  if (node.kind === 'list') return 'a list'
  return `${typeof node.value === 'string' ? quote(node.value) : quote(node.written).slice(1, -1)}${origin(node)}`
}

function origin(node: SourceNode | undefined): string {
  return node?.kind === 'scalar' && node.replaced ? ` (from ${quote(node.written)})` : ''
}
