import assert from 'node:assert/strict'
import test from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { algorithmNames } from '#src/balance/registry.js'
import { algorithmOf, emptyTable, groupOf } from './setup.ts'

// How much V8 inlines hangs on what it has seen by then. Where it stops, a number that a function returns may be boxed: that
// is not what is looked for here.
setFlagsFromString('--max-inlined-bytecode-size-cumulative=10000')
setFlagsFromString('--max-inlined-bytecode-size=2000')

// A file of its own, and so a process: where several kinds of `random` are handed in, V8 boxes what they return.
for (const name of algorithmNames) {
  test(`${name} allocates nothing for a choice`, () => {
    const table = emptyTable()
    const group = groupOf([1, 2, 3, 4, 5])
    const algorithm = algorithmOf(name, group, table)
    const request = { clientHash: 0, isExcluded: (row: number) => row === 3 }
    const choices = 100_000
    const run = () => {
      const before = process.memoryUsage().heapUsed
      for (let n = 0; n < choices; n++) {
        request.clientHash = Math.imul(n, 0x9e37_79b1)
        table.release(group.rows[algorithm.choose(request, false)]!)
      }
      return process.memoryUsage().heapUsed - before
    }
    // Before it is compiled, and while the machine is slow to do so, numbers are boxed. One round may look good because
    // garbage was collected in it; three in a row do not.
    let good = 0
    for (let round = 0; round < 200 && good < 3; round++) {
      const bytes = run()
      good = bytes >= 0 && bytes < choices ? good + 1 : 0
    }
    assert.equal(good, 3)
  })
}
