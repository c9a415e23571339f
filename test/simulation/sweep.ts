import { type Failure, runSchedule } from './schedule.ts'

/** Seeds of every run that names none, so that CI is repeatable. */
export const FIRST_SEED = 1

/** Failures that differ only in numbers: how many there were, and the first. */
export interface FailureKind extends Failure {
  count: number
}

/** Runs `count` schedules from seed `first` on. Stops at the first failure, unless `all` kinds of it are wanted. */
export function sweep(first: number, count: number, all = false): FailureKind[] {
  const kinds = new Map<string, FailureKind>()
  for (let seed = first; seed < first + count; seed++) {
    const failure = runSchedule(seed)
    if (failure === null) continue
    const key = failure.message.replace(/\d+(\.\d+)?/g, 'N')
    const known = kinds.get(key)
    if (known === undefined) kinds.set(key, { ...failure, count: 1 })
    else known.count++
    if (!all) break
  }
  return [...kinds.values()]
}

/** A failure with the command that replays it. */
export function describeFailure({ seed, message }: Failure): string {
  return `seed ${seed}: ${message}\n  replay: node build/test/simulation/main.js --seed ${seed} --trace`
}
