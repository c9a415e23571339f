import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import type { Path } from './fault.ts'
import { addKeywords } from './keywords.ts'
import { schema } from './schema.ts'

/** One thing that the validator holds against the document. */
export interface Violation {
  readonly keyword: string
  /** The value it is about; for an unknown or missing key the map around it. */
  readonly path: Path
  readonly params: Readonly<Record<string, unknown>>
}

let compiled: ValidateFunction | undefined

/** Fills defaults in and holds the data against the schema. Gives one violation for each fault. */
export function validate(data: unknown): readonly Violation[] {
  compiled ??= compile()
  if (compiled(data)) return []
  return withoutAlternatives(compiled.errors ?? []).map((error) => ({
    keyword: error.keyword,
    path: parsePointer(error.instancePath, data),
    params: error.params,
  }))
}

function compile(): ValidateFunction {
  const ajv = new Ajv2020({ allErrors: true, useDefaults: true, strict: true, verbose: true, allowUnionTypes: true })
  addKeywords(ajv)
  return ajv.compile(schema)
}

/**
 * Of the errors below a `oneOf`, keeps those of the branch that was meant, which is the one whose type fits, else the
 * one of the `oneOf` itself.
 */
function withoutAlternatives(errors: readonly ErrorObject[]): ErrorObject[] {
  const meant = new Map<string, number>()
  for (const error of errors) if (error.keyword === 'oneOf') meant.set(error.instancePath, meantBranch(error))
  return errors.filter((error) => {
    if (error.keyword === 'oneOf') return meant.get(error.instancePath) === -1
    const branch = /\/oneOf\/(\d+)\//.exec(error.schemaPath)?.[1]
    if (branch === undefined) return true
    const owner = meant.get(error.instancePath) ?? meant.get(error.instancePath.replace(/\/[^/]*$/, ''))
    return owner === Number(branch)
  })
}

/** The branch whose type the data has; -1 where none has it, or where it only takes one word. */
function meantBranch(error: ErrorObject): number {
  const type = Array.isArray(error.data) ? 'array' : typeof error.data === 'number' ? 'integer' : typeof error.data
  const branches = error.schema as readonly { readonly type?: string; readonly const?: unknown }[]
  return branches.findIndex((branch) => branch.type === type && branch.const === undefined)
}

/** A JSON pointer as a path; positions in lists become numbers. */
function parsePointer(pointer: string, data: unknown): Path {
  const path: (string | number)[] = []
  let value = data
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    path.push(Array.isArray(value) ? Number(key) : key)
    value = (value as Readonly<Record<string, unknown>> | undefined)?.[key]
  }
  return path
}
