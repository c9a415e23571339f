import { parseAddress } from './address.ts'
import type { Fault, Path } from './fault.ts'
import { plainName } from './foreign-name.ts'
import { foreignNote } from './foreign-note.ts'
import { templateOf } from './key-places.ts'
import { expected } from './keywords.ts'
import { mapHint } from './map-hint.ts'
import { meantKey } from './meant-key.ts'
import { meantWord, wordsOf } from './meant-word.ts'
import { printable, quote, quoteKey } from './quote.ts'
import { childSchema, isSecret, schema as lbSchema, type SchemaNode, schemaAt } from './schema.ts'
import { nodeAt, type SourceNode, type SourceScalar } from './source.ts'
import { checkRange } from './text-form.ts'
import type { Violation } from './validate.ts'
import { keyWithoutBlank } from './yaml-fault.ts'

/** Says what violations mean to the one who wrote the file, each in one fault, and each once. */
export function explainAll(violations: readonly Violation[], root: SourceNode): Fault[] {
  const meant = new Set<string>()
  for (const { keyword, path, params } of violations) {
    if (keyword !== 'additionalProperties') continue
    const key = String(params.additionalProperty)
    meant.add(JSON.stringify([...path, meantKey(key, path, root).key]))
  }
  // A required key that is misspelt is not missing too.
  const isTold = ({ keyword, path, params }: Violation) =>
    keyword === 'required' && meant.has(JSON.stringify([...path, String(params.missingProperty)]))
  return violations.filter((violation) => !isTold(violation)).flatMap((violation) => explain(violation, root) ?? [])
}

/** One of them; undefined where it was said before. */
function explain(violation: Violation, root: SourceNode): Fault | undefined {
  const { keyword, path, params } = violation
  const node = nodeAt(root, path)
  if (node?.kind === 'scalar' && node.broken) return undefined
  const schema = schemaAt(path)
  const named = describe(node, path)
  const hint = `write ${expected(schema)}`
  const at = { path, on: 'value', hint } as const
  switch (keyword) {
    case 'additionalProperties':
      return unknownKey(violation, schema, root)
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
      return { ...at, message: `${named} is less than ${params.limit}`, hint: minimumHint(node, path) ?? hint }
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

function unknownKey({ path, params }: Violation, schema: SchemaNode | undefined, root: SourceNode): Fault {
  const key = String(params.additionalProperty)
  const place = { path: [...path, key], on: 'key' } as const
  if (schema?.patternProperties !== undefined) {
    const hint = 'a name has 1 to 64 characters of A-Z, a-z, 0-9, ".", "_" and "-"'
    const note = foreignNote(plainName(key), templateOf(path))
    return { ...place, message: `${quote(key)} is not a name`, hint: note ?? hint }
  }
  const { hint } = meantKey(key, path, root)
  return { ...place, message: `the key ${quoteKey(key)} is not known`, hint }
}

function missingKey({ path, params }: Violation, schema: SchemaNode | undefined): Fault {
  const key = String(params.missingProperty)
  const example = schema?.properties?.[key]
  const message = `the key "${key}" is missing`
  if (example?.const !== undefined) return { path, on: 'key', message, hint: `add "${key}: ${example.const}"` }
  const what = example?.enum === undefined ? meaning(example) : expected(example)
  return { path, on: 'key', message, hint: `add it: ${what}` }
}

/** The first sentence of a description, without the colon or full stop that ends it; within backticks none does. */
function meaning(schema: SchemaNode | undefined): string {
  const sentence = /^(?:`[^`]*`|[^.:`])*/.exec(schema?.description ?? '')?.[0] ?? ''
  return sentence.charAt(0).toLowerCase() + sentence.slice(1)
}

function wrongType({ path }: Violation, node: SourceNode | undefined, schema: SchemaNode | undefined): Fault {
  const place = { path, on: 'value' } as const
  const named = describe(node, path)
  const unit = schema?.duration ?? schema?.size
  if (node?.kind === 'scalar' && node.value === null) {
    if (path.length === 0) return { ...place, message: 'the file is empty', hint: `it needs ${requiredKeys(schema)}` }
    const form = mapHint(node, schema) ?? `write ${expected(schema)}`
    const hint = isRequired(path) ? form : `remove it, or ${form}`
    return { ...place, message: 'this key has no value', hint }
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
  const hint = [textHint, listHint, portHint, mapHint]
    .map((of) => of(node, schema))
    .find((found) => found !== undefined)
  return { ...place, message: `${named} is not ${wanted(schema)}`, hint: hint ?? wordHint(node, schema) }
}

function isRequired(path: Path): boolean {
  return schemaAt(path.slice(0, -1))?.required?.includes(String(path.at(-1))) ?? false
}

/** What text would be where a map, a list of servers or a number is meant. */
function textHint(node: SourceNode | undefined, schema: SchemaNode | undefined): string | undefined {
  if (node?.kind !== 'scalar' || typeof node.value !== 'string') return undefined
  const number = writtenOut(node.value)
  if (number !== undefined && takesNumber(number, schema)) return `write ${number}`
  const key = keyWithoutBlank(node.value)
  if (key !== undefined && schema?.properties !== undefined && Object.hasOwn(schema.properties, key)) {
    return `put a blank after ${key}:`
  }
  const item = schema?.items && childSchema(schema, 0)
  if ((item ?? schema) !== lbSchema.$defs.server) return undefined
  return `write ${item === undefined ? serverHint(node.value) : `[${serverHint(node.value)}]`}`
}

/** A weight of 0 is how others say that a server gets no new client. */
function minimumHint(node: SourceNode | undefined, path: Path): string | undefined {
  const isZero = node?.kind === 'scalar' && node.value === 0
  if (!isZero || templateOf(path) !== 'upstreams.<name>.servers[].weight') return undefined
  return `write ${expected(schemaAt(path))}, or state: drain in its place`
}

/** A port where an address of a listener is meant. */
function portHint(node: SourceNode | undefined, schema: SchemaNode | undefined): string | undefined {
  const role = schema?.address ?? schema?.oneOf?.find((branch) => branch.address !== undefined)?.address
  if (role !== 'listener' || node?.kind !== 'scalar' || typeof node.value !== 'number') return undefined
  const refusal = parseAddress(String(node.value), role)
  return 'hint' in refusal ? refusal.hint : undefined
}

/** One value where a list of ranges is meant: `2xx`, or a status code. */
function rangesHint({ value }: SourceScalar, { range }: SchemaNode): string | undefined {
  if (range === undefined) return undefined
  if (typeof value === 'number') return `write [${value}]`
  const text = String(value)
  const refusal = checkRange(range, text)
  return refusal === undefined ? `write ["${text}"]` : refusal.hint.replace(/^write (".*")$/, 'write [$1]')
}

/** How a list is written where one value or a map stands. */
function listHint(node: SourceNode | undefined, schema: SchemaNode | undefined): string | undefined {
  if (node === undefined || node.kind === 'list' || schema?.items === undefined) return undefined
  const item = childSchema(schema, 0)
  if (node.kind === 'scalar') {
    const ranges = item?.oneOf?.find((branch) => branch.range !== undefined)
    return ranges && rangesHint(node, ranges)
  }
  const [first = ''] = node.entries.keys()
  if (first.startsWith('-') && item?.properties?.[first.slice(1)] !== undefined) return 'put a blank after the -'
  return item === lbSchema.$defs.server ? 'write a list of servers: [{ address: "10.0.0.1:9100" }]' : undefined
}

function serverHint(text: string): string {
  return `{ address: "${'address' in parseAddress(text, 'server') ? printable(text) : '10.0.0.1:9100'}" }`
}

/** `50k` as 50000. */
function writtenOut(text: string): number | undefined {
  const match = /^(\d{1,6})\s?([km])$/i.exec(text)
  return match === null ? undefined : Number(match[1]) * (match[2]?.toLowerCase() === 'k' ? 1000 : 1_000_000)
}

function takesNumber(number: number, schema: SchemaNode | undefined): boolean {
  const takes = ({ type, minimum = number, maximum = number }: SchemaNode) =>
    type === 'integer' && number >= minimum && number <= maximum
  return schema !== undefined && (schema.oneOf ?? [schema]).some(takes)
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
  const text = node?.kind === 'scalar' && node.value !== null ? String(node.value) : undefined
  const likely = text === undefined ? undefined : meantWord(text, wordsOf(schema))
  return likely ?? `write ${expected(schema)}`
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
