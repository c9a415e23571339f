import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import type { Group } from '#src/balance/balancer.js'
import { buildGroups } from '#src/balance/group.js'
import { algorithmNames } from '#src/balance/registry.js'
import { BackendState, type BackendTable } from '#src/shared/backend-table.js'
import type { Chosen } from '../../helpers/thread-job.ts'
import { runInThreads } from '../../helpers/threads.ts'
import { algorithmOf, countChoices, emptyTable, groupOf, membersOf, requestOf, threadJobs } from './setup.ts'

const { down, ejected, draining, maintenance } = BackendState

/** A backend in any state: what the properties are tried with. */
const backends = fc.array(
  fc.record({
    weight: fc.integer({ min: 1, max: 256 }),
    maxConnections: fc.constantFrom(1, 2, 3, Number.POSITIVE_INFINITY),
    state: fc.constantFrom(0, 0, 0, down, ejected, draining, maintenance, down | draining),
    share: fc.constantFrom(1, 1, 0.5, 0.001),
    latencyMs: fc.constantFrom(0, 0.5, 20),
    excluded: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
)

type Backend = typeof backends extends fc.Arbitrary<(infer Item)[]> ? Item : never

function groupWith(members: readonly Backend[], table: BackendTable): Group {
  members.forEach(({ state, share, latencyMs }, row) => {
    table.setState(row, state)
    table.setShare(row, share)
    if (latencyMs > 0) table.noteLatency(row, latencyMs, 0)
  })
  const weights = members.map(({ weight }) => weight)
  const [group] = buildGroups(membersOf(weights, (at) => ({ maxConnections: members[at]!.maxConnections })))
  return group!
}

const isOpen = (backend: Backend, active: number, inPanic: boolean) =>
  (backend.state & (inPanic ? draining | maintenance : -1)) === 0 &&
  active < backend.maxConnections &&
  !backend.excluded

for (const name of algorithmNames) {
  test(`${name} chooses an available backend with room that is not excluded whenever there is one, else none`, () => {
    fc.assert(
      fc.property(
        backends,
        fc.boolean(),
        fc.array(fc.integer(), { minLength: 8, maxLength: 24 }),
        (members, inPanic, clients) => {
          const table = emptyTable()
          const group = groupWith(members, table)
          const algorithm = algorithmOf(name, group, table)
          for (const client of clients) {
            const before = members.map((_, row) => table.active(row))
            const index = algorithm.choose(
              requestOf(client, (row) => members[row]!.excluded),
              inPanic,
            )
            const open = members.map((backend, row) => isOpen(backend, before[row]!, inPanic))
            assert.equal(index >= 0, open.includes(true))
            if (index >= 0) assert.ok(open[index])
            const taken = members.map((_, row) => table.active(row) - before[row]!)
            assert.deepEqual(
              taken,
              members.map((_, row) => (row === index ? 1 : 0)),
            )
          }
        },
      ),
    )
  })

  test(`${name} chooses none of none`, () => {
    const group: Group = {
      positions: new Uint32Array(0),
      rows: new Uint32Array(0),
      weights: new Float64Array(0),
      maxConnections: new Float64Array(0),
      identities: new Int32Array(0),
      schedule: new Uint32Array(0),
    }
    assert.equal(algorithmOf(name, group, emptyTable()).choose(requestOf(), false), -1)
  })

  // 21. With maxConnections 3 the fourth is not sent there; a close frees the place; weight does not raise it.
  test(`${name} never goes above maxConnections, whatever the weight, and takes a place that became free`, () => {
    const table = emptyTable()
    const group = groupOf([100, 1], 3)
    const algorithm = algorithmOf(name, group, table)
    assert.deepEqual(countChoices(algorithm, group, 10), [3, 3])
    assert.equal(algorithm.choose(requestOf(), false), -1)
    table.release(0)
    assert.equal(algorithm.choose(requestOf(), false), 0)
    assert.equal(algorithm.choose(requestOf(), false), -1)
  })

  test(`${name} holds maxConnections exactly while four threads choose and give back`, async (t) => {
    const limits = [1, 3, 5]
    const groups = buildGroups(membersOf([7, 2, 1], (at) => ({ maxConnections: limits[at]! })))
    const { jobs, activeAt } = threadJobs(name, groups, { threads: 4, choices: 20_000, keep: 3 })
    const results = await runInThreads<Chosen>(t, jobs)
    for (const [row, limit] of limits.entries()) {
      for (const { most } of results) assert.ok(most[row]! <= limit, `${most}`)
      assert.ok(activeAt(row) <= limit)
    }
  })

  test(`${name} always finds a place for four threads that need no more than there are`, async (t) => {
    const groups = buildGroups(membersOf([1, 1, 1, 1], () => ({ maxConnections: 2 })))
    const { jobs } = threadJobs(name, groups, { threads: 4, choices: 20_000, keep: 2 })
    for (const { none } of await runInThreads<Chosen>(t, jobs)) assert.equal(none, 0)
  })

  test(`${name} fills all backends exactly from four threads`, async (t) => {
    const groups = buildGroups(membersOf([5, 3, 1], () => ({ maxConnections: 1000 })))
    const { jobs, activeAt } = threadJobs(name, groups, { threads: 4, choices: 750, keep: Number.POSITIVE_INFINITY })
    const results = await runInThreads<Chosen>(t, jobs)
    assert.deepEqual([0, 1, 2].map(activeAt), [1000, 1000, 1000])
    assert.equal(
      results.reduce((sum, { none }) => sum + none, 0),
      0,
    )
  })
}
