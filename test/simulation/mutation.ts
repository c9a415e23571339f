import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Mutant } from './mutants.ts'
import type { ReactorClass } from './rig.ts'
import { type Failure, runSchedule } from './schedule.ts'

const dist = fileURLToPath(new URL('../../../dist', import.meta.url))
/** All that the reactor imports. */
const folders = ['balance', 'dataplane', 'kernel', 'model', 'shared']

/** Loads the reactor with the fault in it. Throws when the text to replace does not stand exactly once in its file. */
export async function loadMutant(mutant: Mutant): Promise<ReactorClass> {
  const directory = mkdtempSync(join(tmpdir(), 'mcs-lb-mutant-'))
  try {
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
    for (const folder of folders) cpSync(join(dist, folder), join(directory, folder), { recursive: true })
    const file = join(directory, 'dataplane', mutant.file)
    writeFileSync(file, mutate(readFileSync(file, 'utf8'), mutant))
    const module = await import(pathToFileURL(join(directory, 'dataplane', 'reactor.js')).href)
    return module.Reactor as ReactorClass
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function mutate(source: string, { name, file, find, replace }: Mutant): string {
  const parts = source.split(find)
  if (parts.length !== 2) {
    throw new Error(`Mutant "${name}": ${JSON.stringify(find)} stands ${parts.length - 1} times in ${file}, not once`)
  }
  return parts.join(replace)
}

/** The first of `count` schedules that fails with the fault, and passes without it. */
export function findKiller(reactor: ReactorClass, first: number, count: number): Failure | null {
  for (let seed = first; seed < first + count; seed++) {
    const failure = runSchedule(seed, { reactor })
    if (failure !== null && runSchedule(seed) === null) return failure
  }
  return null
}
