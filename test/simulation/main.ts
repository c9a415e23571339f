import { parseArgs } from 'node:util'
import { mutants } from './mutants.ts'
import { findKiller, loadMutant } from './mutation.ts'
import { runSchedule } from './schedule.ts'
import { describeFailure, FIRST_SEED, sweep } from './sweep.ts'

/**
 * The simulation by hand, from the root of the repository after `npm run build:all`:
 *
 * ```
 * node build/test/simulation/main.js --schedules 5000000 [--from SEED] [--keep-going]
 * node build/test/simulation/main.js --seed SEED [--trace]
 * node build/test/simulation/main.js --hunt PART_OF_A_MUTANTS_NAME [--from SEED]
 * ```
 */
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
else run(Number(values.from), Number(values.schedules))

function run(first: number, count: number): void {
  const startedAt = performance.now()
  const kinds = sweep(first, count, values['keep-going'])
  for (const kind of kinds) console.log(`${kind.count} ×`, describeFailure(kind))
  const seconds = (performance.now() - startedAt) / 1000
  if (kinds.length > 0) process.exitCode = 1
  if (kinds.length > 0 && !values['keep-going']) return
  console.log(`${count} schedules in ${seconds.toFixed(1)} s, ${Math.round(count / seconds)} a second`)
}

function replay(seed: number): void {
  const failure = runSchedule(seed, values.trace ? { trace: (line) => console.log(line) } : {})
  console.log(failure === null ? `seed ${seed} passes` : describeFailure(failure))
  if (failure !== null) process.exitCode = 1
}

/** Finds a schedule that kills each mutant whose name contains `name`. */
async function hunt(name: string): Promise<void> {
  for (const mutant of mutants.filter((one) => one.name.includes(name))) {
    const killer = findKiller(await loadMutant(mutant), Number(values.from), Number(values.schedules))
    console.log(`${killer === null ? 'survives' : `seed ${killer.seed}`}: ${mutant.name}`)
    if (killer !== null) console.log(`    ${killer.message.split('\n')[0]}`)
    else process.exitCode = 1
  }
}
