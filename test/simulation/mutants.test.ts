import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { mutants } from './mutants.ts'
import { findKiller, loadMutant } from './mutation.ts'
import { runSchedule } from './schedule.ts'

/** A change of the reactor moves the killing schedules; from the recorded seed on there must be one soon. */
const SEARCH = 20_000

suite('The simulation finds a reactor in which', () => {
  for (const mutant of mutants) {
    test(mutant.name, async () => {
      assert.equal(runSchedule(mutant.seed), null, `the reactor itself fails on seed ${mutant.seed}`)
      const killer = findKiller(await loadMutant(mutant), mutant.seed, SEARCH)
      assert.ok(killer !== null, `no schedule of ${SEARCH} from seed ${mutant.seed} on finds it`)
    })
  }
})
