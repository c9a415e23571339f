import { dirname, resolve } from 'node:path'
import type { Config } from '../model/config.ts'
import { ConfigError, type ConfigIssue } from '../model/errors.ts'
import { checkAcross } from './cross-field.ts'
import { checkKeys } from './cross-key.ts'
import { toData } from './data.ts'
import type { LbDocument } from './document.generated.ts'
import { explainAll } from './explain.ts'
import { type Fault, toIssues } from './fault.ts'
import { type Machine, thisMachine } from './machine.ts'
import { parseText } from './parse.ts'
import { readConfigText } from './read-text.ts'
import { resolveConfig } from './resolve.ts'
import { LinePositions, nodeAt, type SourceNode } from './source.ts'
import { validate } from './validate.ts'
import { warningsOf } from './warnings.ts'
import type { WrittenDocument } from './written.ts'

/** Violations that are explained; hostile files have more, and those are only counted. */
const maxExplained = 1000

/** A file that is good. */
export interface LoadedConfig {
  readonly config: Config
  /** What is legal and surely a mistake. */
  readonly warnings: readonly ConfigIssue[]
}

/**
 * Reads, validates and resolves a file.
 *
 * Throws ConfigError with all faults of the file, and MCS_CONFIG_UNREADABLE where there is no file to read.
 */
export async function loadConfig(file: string, env: Readonly<NodeJS.ProcessEnv> = process.env): Promise<LoadedConfig> {
  return parseConfig(await readConfigText(file), file, env)
}

/**
 * Validates and resolves the text of a file. `file` is the name for messages, and relative paths start in its folder.
 *
 * Throws ConfigError with all faults of the text, and nothing else, whatever it holds.
 */
export function parseConfig(
  text: string,
  file: string,
  env: Readonly<NodeJS.ProcessEnv>,
  machine: Machine = thisMachine(),
): LoadedConfig {
  const configFile = resolve(file)
  const { document, root, faults, unexplained } = examine(text, env, configFile, machine)
  const about = { file, positions: new LinePositions(text), root }
  if (faults.length > 0 || root === undefined) throw new ConfigError(toIssues(faults, about, unexplained))
  const baseDirectory = dirname(configFile)
  const config = resolveConfig(document as LbDocument, {
    baseDirectory,
    machine,
    listenerNames: namesOf(root, 'listeners'),
    upstreamNames: namesOf(root, 'upstreams'),
  })
  // Written out once more, as the defaults were filled into the first.
  const written = toData(root).data as WrittenDocument
  return { config, warnings: toIssues(warningsOf(written, { baseDirectory, machine }), about, 0, 'warnings') }
}

interface Examination {
  readonly document: unknown
  readonly root: SourceNode | undefined
  readonly faults: readonly Fault[]
  /** Further faults that were found but not put into words. */
  readonly unexplained: number
}

function examine(text: string, env: Readonly<NodeJS.ProcessEnv>, configFile: string, machine: Machine): Examination {
  const nul = text.indexOf('\0')
  if (nul !== -1) {
    const fault: Fault = { path: [], on: nul, message: 'this is a NUL byte', hint: 'save the file as UTF-8 text' }
    return { document: undefined, root: undefined, faults: [fault], unexplained: 0 }
  }
  const { root, faults: parseFaults } = parseText(text, env)
  if (root === undefined) return { document: undefined, root, faults: parseFaults, unexplained: 0 }
  const { data, faults: sizeFaults } = toData(root)
  if (sizeFaults.length > 0) {
    return { document: undefined, root, faults: [...parseFaults, ...sizeFaults], unexplained: 0 }
  }
  const keyFaults = checkKeys(data)
  const violations = validate(data)
  const explained = explainAll(violations.slice(0, maxExplained), root)
  return {
    document: data,
    root,
    faults: onePerValue([...parseFaults, ...explained, ...keyFaults, ...checkAcross(data, configFile, machine)]),
    unexplained: Math.max(0, violations.length - maxExplained),
  }
}

/** Of several faults of one value only the first is told: the others follow from it. */
function onePerValue(faults: readonly Fault[]): Fault[] {
  const seen = new Set<string>()
  return faults.filter((fault) => {
    const identity = JSON.stringify(fault.on === 'value' ? fault.path : fault)
    if (seen.has(identity)) return false
    seen.add(identity)
    return true
  })
}

function namesOf(root: SourceNode, key: string): string[] {
  const node = nodeAt(root, [key])
  return node?.kind === 'map' ? [...node.entries.keys()] : []
}
