import { join, resolve } from 'node:path'
import { type Fault, formatPath, type Path } from './fault.ts'
import type { Machine } from './machine.ts'
import { entriesOf, isMap, member, type PlacedAddress } from './placed-address.ts'
import { quote } from './quote.ts'
import { childSchema, type SchemaNode, schema } from './schema.ts'

export interface PathCheck {
  readonly data: unknown
  /** Absolute. */
  readonly configFile: string
  readonly baseDirectory: string
  /** Those of unix sockets are paths too. */
  readonly addresses: readonly PlacedAddress[]
  readonly machine: Machine
}

/**
 * Faults of files that sticky entries are to be written to, and that are something else: the configuration file, what
 * another key names, or the file of another upstream. Paths are compared as what symbolic links make of them here.
 */
export function checkPersistPaths({ data, configFile, baseDirectory, addresses, machine }: PathCheck): Fault[] {
  const wanted = entriesOf(member(data, 'upstreams')).flatMap(([name, upstream]) => {
    const path = member(member(member(upstream, 'sticky'), 'persist'), 'path')
    return typeof path === 'string' && path.includes('/') ? [{ name, file: resolve(baseDirectory, path) }] : []
  })
  if (wanted.length === 0) return []
  const owners = new Map<string, string>([[machine.realPath(configFile), 'this is the configuration file']])
  const note = (file: string, message: string) => {
    const real = machine.realPath(file)
    if (!owners.has(real)) owners.set(real, message)
  }
  for (const { path, file } of namedFiles(data, baseDirectory, addresses))
    note(file, `${formatPath(path)} names it too`)
  for (const { name, file } of lastGoodFiles(data, baseDirectory))
    note(file, `the last good members of the upstream ${quote(name)} are kept in it`)
  return wanted.flatMap(({ name, file }): Fault[] => {
    const [message, first] = [owners.get(machine.realPath(file)), owners.get(machine.realPath(`${file}.new`))]
    note(file, `entries of the upstream ${quote(name)} are kept in this file already`)
    note(`${file}.new`, `a save of the upstream ${quote(name)} writes this file first`)
    const path = ['upstreams', name, 'sticky', 'persist', 'path']
    const hint = 'write another file'
    if (message !== undefined) return [{ path, on: 'value', message, hint }]
    if (first === undefined) return []
    return [{ path, on: 'value', message: `a save writes ${quote(`${file}.new`)} first: ${first}`, hint }]
  })
}

interface NamedFile {
  readonly path: Path
  readonly file: string
}

/** Every other file, folder and socket that the file names. */
function namedFiles(data: unknown, baseDirectory: string, addresses: readonly PlacedAddress[]): NamedFile[] {
  const files: NamedFile[] = addresses.flatMap(({ path, address }) =>
    address.family === 'unix' ? [{ path, file: address.path }] : [],
  )
  visit(data, schema, [], (text, path) => {
    if (path.at(-2) !== 'persist') files.push({ path, file: resolve(baseDirectory, text) })
  })
  return files
}

/** What discovery keeps in the folder of `state`. */
function lastGoodFiles(data: unknown, baseDirectory: string): { name: string; file: string }[] {
  const directory = member(member(data, 'state'), 'directory')
  if (typeof directory !== 'string' || !directory.includes('/')) return []
  return entriesOf(member(data, 'upstreams'))
    .filter(([, upstream]) => member(upstream, 'discovery') !== undefined)
    .map(([name]) => ({ name, file: join(resolve(baseDirectory, directory), `members-${name}.json`) }))
}

/** Tells of every value that is a path by its schema. A word in its place has no slash. */
function visit(
  value: unknown,
  node: SchemaNode | undefined,
  path: Path,
  tell: (text: string, path: Path) => void,
): void {
  if (node === undefined) return
  if (typeof value === 'string') {
    if (node.path !== undefined && value.includes('/')) tell(value, path)
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) visit(item, childSchema(node, index), [...path, index], tell)
  } else if (isMap(value)) {
    for (const [key, item] of Object.entries(value)) visit(item, childSchema(node, key), [...path, key], tell)
  }
}
