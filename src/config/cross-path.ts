import { join, resolve } from 'node:path'
import { type Fault, formatPath, type Path } from './fault.ts'
import type { Machine } from './machine.ts'
import { pathValues } from './path-values.ts'
import { entriesOf, member, type PlacedAddress } from './placed-address.ts'
import { quote } from './quote.ts'

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
 * Faults of paths that this program writes to, and that are something else: the configuration file, what another key
 * names, or the file of another upstream. Paths are compared as what symbolic links make of them here.
 */
export function checkWrittenPaths(check: PathCheck): Fault[] {
  const { data, configFile, baseDirectory, addresses } = check
  const owners = new Owners(check.machine)
  owners.note(configFile, 'this is the configuration file')
  const named = namedFiles(data, baseDirectory)
  const isOf = (key: string) => (file: NamedFile) => formatPath(file.path) === key
  const sockets = addresses.flatMap(({ path, address }): NamedFile[] =>
    address.family === 'unix' ? [{ path, file: address.path }] : [],
  )
  owners.noteKeys(named.filter(({ path }) => !writtenKeys.has(formatPath(path))))
  // That two of them are the same, or one of them a server, is for the checks of addresses to say.
  const bound = sockets.filter(({ path }) => path[0] !== 'upstreams')
  const faults = bound.flatMap((socket) => owners.faultOf(socket, 'write another path'))
  owners.noteKeys(sockets)
  const directories = named.filter(isOf('state.directory'))
  faults.push(...directories.flatMap((directory) => owners.faultOf(directory, 'write another path')))
  owners.noteKeys(directories)
  for (const { name, file } of lastGoodFiles(data, baseDirectory))
    owners.note(file, `the last good members of the upstream ${quote(name)} are kept in it`)
  const logs = named.filter(isOf('accessLog.to'))
  faults.push(...logs.flatMap((log) => owners.faultOf(log, 'write another file')))
  owners.noteKeys(logs)
  return [...faults, ...persistFaults(data, baseDirectory, owners)]
}

/** Keys whose path is written to, each of which is checked in its turn; those of sticky entries come beside them. */
export const writtenKeys: ReadonlySet<string> = new Set(['accessLog.to', 'admin.socket', 'state.directory'])

function persistFaults(data: unknown, baseDirectory: string, owners: Owners): Fault[] {
  const wanted = entriesOf(member(data, 'upstreams')).flatMap(([name, upstream]) => {
    const path = member(member(member(upstream, 'sticky'), 'persist'), 'path')
    return typeof path === 'string' && path.includes('/') ? [{ name, file: resolve(baseDirectory, path) }] : []
  })
  return wanted.flatMap(({ name, file }): Fault[] => {
    const [message, first] = [owners.of(file), owners.of(`${file}.new`)]
    owners.note(file, `entries of the upstream ${quote(name)} are kept in this file already`)
    owners.note(`${file}.new`, `a save of the upstream ${quote(name)} writes this file first`)
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

/** What each path is already. */
class Owners {
  readonly #machine: Machine
  readonly #messages = new Map<string, string>()

  constructor(machine: Machine) {
    this.#machine = machine
  }

  of(file: string): string | undefined {
    return this.#messages.get(this.#machine.realPath(file))
  }

  /** The first message stays. */
  note(file: string, message: string): void {
    const real = this.#machine.realPath(file)
    if (!this.#messages.has(real)) this.#messages.set(real, message)
  }

  noteKeys(files: readonly NamedFile[]): void {
    for (const { path, file } of files) this.note(file, `${formatPath(path)} names it too`)
  }

  faultOf({ path, file }: NamedFile, hint: string): Fault[] {
    const message = this.of(file)
    return message === undefined ? [] : [{ path, on: 'value', message, hint }]
  }
}

/** Every file, folder and socket that a key names, but for files of sticky entries. */
function namedFiles(data: unknown, baseDirectory: string): NamedFile[] {
  return pathValues(data)
    .filter(({ path }) => path.at(-2) !== 'persist')
    .map(({ path, text }) => ({ path, file: resolve(baseDirectory, text) }))
}

/** What discovery keeps in the folder of `state`. */
function lastGoodFiles(data: unknown, baseDirectory: string): { name: string; file: string }[] {
  const directory = member(member(data, 'state'), 'directory')
  if (typeof directory !== 'string' || !directory.includes('/')) return []
  return entriesOf(member(data, 'upstreams'))
    .filter(([, upstream]) => member(upstream, 'discovery') !== undefined)
    .map(([name]) => ({ name, file: join(resolve(baseDirectory, directory), `members-${name}.json`) }))
}
