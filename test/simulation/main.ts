import { parseArgs } from 'node:util'
import { mutants } from './mutants.ts'
import { findKiller, loadMutant } from './mutation.ts'
import { type Failure, runSchedule } from './schedule.ts'

/** Seeds of every run that names none: CI is repeatable. */
export const FIRST_SEED = 1

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '100000' },
    from: { type: 'string', default: String(FIRST_SEED) },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
    hunt: { type: 'string' },
  },
})

if (values.hunt !== undefined) await hunt(values.hunt)
else if (values.seed !== undefined) replay(Number(values.seed))
else sweep(Number(values.from), Number(values.schedules))

/** Finds a killing schedule for the mutants whose names contain `name`. */
async function hunt(name: string): Promise<void> {
  for (const mutant of mutants.filter((one) => one.name.includes(name))) {
    const killer = findKiller(await loadMutant(mutant), Number(values.from), Number(values.schedules))
    console.log(`${killer === null ? 'SURVIVES' : `seed ${killer.seed}`}: ${mutant.name}`)
    if (killer !== null) console.log(`    ${killer.message.split('\n')[0]}`)
  }
}

function replay(seed: number): void {
  const failure = runSchedule(seed, values.trace ? { trace: (line) => console.log(line) } : {})
  console.log(failure === null ? `seed ${seed} passes` : describe(failure))
  if (failure !== null) process.exitCode = 1
}

function sweep(first: number, count: number): void {
  const startedAt = performance.now()
  const kinds = new Map<string, { seed: number; message: string; count: number }>()
  for (let seed = first; seed < first + count; seed++) {
    const failure = runSchedule(seed)
    if (failure === null) continue
    process.exitCode = 1
    if (!values['keep-going']) {
      console.log(describe(failure))
      return
    }
    const kind = failure.message.replace(/\d+(\.\d+)?/g, 'N')
    const known = kinds.get(kind)
    if (known === undefined) kinds.set(kind, { ...failure, count: 1 })
    else known.count++
  }
  for (const kind of kinds.values()) console.log(`${kind.count} ×`, describe(kind))
  const seconds = (performance.now() - startedAt) / 1000
  console.log(`${count} schedules in ${seconds.toFixed(1)} s, ${Math.round(count / seconds)} a second`)
}

function describe({ seed, message }: Failure): string {
  return `seed ${seed}: ${message}\n  replay: node build/test/simulation/main.js --seed ${seed} --trace`
}
