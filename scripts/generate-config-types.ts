/**
 * Writes src/config/document.generated.ts from schemas/lb.schema.json; with --check it only compares, and exits 1 when
 * the file has drifted. Run it from a checkout: `npx tsc -b scripts && node build/scripts/generate-config-types.js`.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { compile, type JSONSchema } from 'json-schema-to-typescript'

const root = new URL('../../', import.meta.url)
const schemaFile = new URL('schemas/lb.schema.json', root)
const targetFile = new URL('src/config/document.generated.ts', root)

const banner = `/**
 * The file after its defaults were filled in: what is left to do is to resolve units and paths.
 * Generated from schemas/lb.schema.json by scripts/generate-config-types.ts; change the schema instead.
 */`

const schema: unknown = JSON.parse(await readFile(schemaFile, 'utf8'))
const generated = await compile(requireDefaulted(schema) as JSONSchema, 'LbDocument', {
  bannerComment: banner,
  additionalProperties: false,
  ignoreMinAndMaxItems: true,
  style: { semi: false, singleQuote: true, printWidth: 120 },
})
/** The generator's own remark on a map of names, which says nothing to a reader. */
const text = generated.replaceAll(/ \*\n \* This interface was referenced by .*\n \* via the .*\n/g, '')

if (!process.argv.includes('--check')) {
  await writeFile(targetFile, text)
} else if ((await readFile(targetFile, 'utf8').catch(() => '')) !== text) {
  console.error('src/config/document.generated.ts is not what schemas/lb.schema.json gives; run this without --check')
  process.exitCode = 1
}

/** The schema of a document in which every key that has a default is present. */
function requireDefaulted(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(requireDefaulted)
  if (typeof node !== 'object' || node === null) return node
  const copy: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node)) copy[key] = requireDefaulted(value)
  const { properties, required } = copy
  if (typeof properties !== 'object' || properties === null) return copy
  const defaulted = Object.entries(properties).filter(([, value]) => Object.hasOwn(value, 'default'))
  copy.required = [...(Array.isArray(required) ? required : []), ...defaulted.map(([key]) => key)]
  return copy
}
