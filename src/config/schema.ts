import { readFileSync } from 'node:fs'

/** The part of JSON Schema 2020-12 that schemas/lb.schema.json uses, and this program's own keywords. */
export interface SchemaNode {
  readonly $ref?: string
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean'
  readonly const?: string | number
  readonly enum?: readonly string[]
  readonly oneOf?: readonly SchemaNode[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>
  readonly items?: SchemaNode
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly description?: string
  readonly default?: unknown
  /** A duration such as `5s`, within bounds, or one of some words. */
  readonly duration?: UnitRule
  /** A size such as `64KiB`, within bounds, or one of some words. */
  readonly size?: UnitRule
  /** Whether an address is bound or connected to. */
  readonly address?: AddressRole
  /** A path, or one of some words. */
  readonly path?: { readonly words: readonly string[] }
  /** A share such as `50%`, within bounds. */
  readonly percent?: Bounds
  /** Whole numbers such as `200` or `200-299`, within bounds. */
  readonly range?: { readonly minimum: number; readonly maximum: number }
  /** An IP address, and whether a port may follow. */
  readonly ip?: 'none' | 'optional'
  /** The form that a text has. */
  readonly form?:
    | 'network'
    | 'host-port'
    | 'host-name'
    | 'hex'
    | 'http-path'
    | 'plain'
    | 'redis-url'
    | 'redis-key'
    | 'redis-prefix'
  /** Whether no message may quote the value, as a password may stand in it. */
  readonly secret?: boolean
}

export interface Bounds {
  readonly minimum: string
  readonly maximum: string
}

export interface UnitRule {
  readonly minimum: string
  readonly maximum: string
  readonly words?: readonly string[]
}

export type AddressRole = 'listener' | 'server'

/** Where the schema lies in a checkout and in the package. */
const schemaFile = new URL('../../schemas/lb.schema.json', import.meta.url)

/** The schema of the file: the source of every key, default, unit and description. */
export const schema = JSON.parse(readFileSync(schemaFile, 'utf8')) as SchemaNode & {
  readonly $defs: Readonly<Record<string, SchemaNode>>
}

/** The schema of the value at a path, references followed; undefined where no such key exists. */
export function schemaAt(path: readonly (string | number)[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = schema
  for (const segment of path) node = node === undefined ? undefined : childSchema(node, segment)
  return node
}

/** The schema of a map's key or of a list's items, references followed. */
export function childSchema(node: SchemaNode, segment: string | number): SchemaNode | undefined {
  if (typeof segment === 'number') return follow(node.items ?? node.oneOf?.find((branch) => branch.items)?.items)
  const property = node.properties !== undefined && Object.hasOwn(node.properties, segment)
  if (property) return follow(node.properties?.[segment])
  const named = Object.entries(node.patternProperties ?? {}).find(([pattern]) => new RegExp(pattern, 'u').test(segment))
  return follow(named?.[1])
}

/**
 * Whether a message may quote what stands at a path. It may not where a password belongs, where a map belongs that has
 * one, as a URL may stand in its place, and where the schema knows nothing.
 */
export function isSecret(path: readonly (string | number)[]): boolean {
  const node = schemaAt(path)
  return node === undefined || holdsSecret(node)
}

/** Whether a value of this schema is a secret, or a map that has one. */
export function holdsSecret(node: SchemaNode): boolean {
  if (node.secret !== undefined) return node.secret
  return [...Object.values(node.properties ?? {}), node.items].some((inner) => {
    const followed = follow(inner)
    return followed !== undefined && holdsSecret(followed)
  })
}

function follow(node: SchemaNode | undefined): SchemaNode | undefined {
  const name = node?.$ref?.replace('#/$defs/', '')
  return name === undefined ? node : schema.$defs[name]
}
