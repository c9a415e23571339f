import { posix } from 'node:path'
import { codeOf, lineAt, type SourceFile, type Violation } from './source.ts'

/** An import, a re-export or a dynamic import with a literal specifier. */
export interface Import {
  readonly specifier: string
  /** Written `import type` or `export type`, so that nothing is loaded. */
  readonly typeOnly: boolean
  /** 1-based. */
  readonly line: number
}

const clause = String.raw`(?:(?!\b(?:import|export)\b)[\w$*{}\s,])*?`
const statement = new RegExp(
  String.raw`(?<![\w$.])(?:(?:import|export)\s+(?<type>type\s+(?!from\b))?${clause}\bfrom|import\s*\(?)\s*(?<quote>['"])`,
  'g',
)

/** Every module that a TypeScript source names, in its order. */
export function scanImports(text: string): Import[] {
  const found: Import[] = []
  for (const match of codeOf(text).matchAll(statement)) {
    const start = match.index + match[0].length
    const end = text.indexOf(match.groups?.quote ?? "'", start)
    const typeOnly = match.groups?.type !== undefined
    found.push({ specifier: text.slice(start, end), typeOnly, line: lineAt(text, start) })
  }
  return found
}

const foundation = ['kernel', 'model', 'protocol', 'balance', 'shared']
const errnoAndConstants = ['kernel/constants.ts', 'kernel/errno.ts']
const features = [...foundation, 'dataplane', 'tls', 'health', 'discovery', 'observe', 'systemd', 'config']

/** What each folder of src may import besides itself: folders, or single files of a folder. */
const directions: Readonly<Record<string, readonly string[]>> = {
  model: [],
  kernel: ['model'],
  shared: ['model', 'kernel/constants.ts'],
  balance: ['model', 'shared'],
  protocol: ['model'],
  dataplane: foundation,
  tls: foundation,
  health: ['model', 'shared', ...errnoAndConstants],
  discovery: [
    'model',
    'shared',
    'config/address.ts',
    'config/nearest.ts',
    'config/quote.ts',
    'config/read-text.ts',
    'config/watch.ts',
    ...errnoAndConstants,
  ],
  observe: ['model', 'shared', ...errnoAndConstants],
  systemd: ['kernel', 'model', 'observe'],
  config: ['model'],
  control: features,
  admin: [...features, 'control'],
  lab: ['model', 'protocol', 'config', 'observe'],
  cli: [...features, 'control', 'admin', 'lab'],
  'main.ts': [...features, 'control', 'admin', 'lab', 'cli'],
}

/** Files that may import what the rest of their folder may not. */
const exceptions: Readonly<Record<string, readonly string[]>> = { 'control/run.ts': ['admin'] }

const pureFolders = new Set(['model', 'shared', 'balance', 'protocol'])
const pureModules = new Set(['node:assert', 'node:assert/strict', 'node:buffer', 'node:util', 'node:path'])

/** Every import in `files` (paths relative to src) that goes against the directions, and every cycle. */
export function checkImports(files: readonly SourceFile[]): Violation[] {
  const violations: Violation[] = []
  const edges = new Map<string, string[]>()
  for (const { path, text } of files) {
    const targets: string[] = []
    edges.set(path, targets)
    for (const found of scanImports(text)) {
      const target = resolve(path, found.specifier)
      const broken = target === undefined ? checkModule(path, found.specifier) : checkDirection(path, target, found)
      if (broken !== undefined) violations.push({ path, line: found.line, ...broken })
      if (target !== undefined && !(found.typeOnly && folderOf(path) === folderOf(target))) targets.push(target)
    }
  }
  return [...violations, ...findCycles(edges)]
}

type Broken = Pick<Violation, 'message' | 'rule'> | undefined

function checkModule(path: string, specifier: string): Broken {
  const folder = folderOf(path)
  if (specifier === 'koffi' && folder !== 'kernel') {
    return { message: `${folder} imports koffi`, rule: 'only src/kernel knows koffi' }
  }
  if (pureFolders.has(folder) && !pureModules.has(specifier)) {
    return { message: `${folder} imports ${specifier}`, rule: `${folder} is pure: no I/O, no timers, no packages` }
  }
  return undefined
}

function checkDirection(path: string, target: string, { typeOnly }: Import): Broken {
  const from = folderOf(path)
  const to = folderOf(target)
  if (from === to) return undefined
  const allowed = directions[from]
  if (allowed === undefined) {
    return { message: `${from} has no place among the directions`, rule: 'add it to scripts/rule/imports.ts' }
  }
  if (from === 'systemd' && to === 'observe' && !typeOnly) {
    return { message: `systemd loads ${target}`, rule: 'systemd may use types of observe only' }
  }
  if ([...allowed, ...(exceptions[path] ?? [])].some((name) => name === to || name === target)) return undefined
  const rule = allowed.length === 0 ? `${from} may import itself only` : `${from} may import ${allowed.join(', ')}`
  return { message: `${from} imports ${target}`, rule }
}

/** Each cycle of files once, reported at its first path. */
export function findCycles(edges: ReadonlyMap<string, readonly string[]>): Violation[] {
  const cycles: Violation[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start !== -1) {
      const message = `imports form a cycle: ${[...trail.slice(start), path].join(' → ')}`
      cycles.push({ path, line: 1, message, rule: 'no cycles' })
    }
    if (start !== -1 || done.has(path)) return
    for (const target of edges.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of edges.keys()) visit(path, [])
  return cycles
}

/** The file that a relative specifier names, relative to src; undefined for packages and for files outside src. */
function resolve(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  const target = posix.join(posix.dirname(path), specifier)
  return target.startsWith('..') ? undefined : target.replace(/\.js$/, '.ts')
}

function folderOf(path: string): string {
  return path.split('/')[0] ?? path
}
