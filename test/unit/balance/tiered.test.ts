import assert from 'node:assert/strict'
import test from 'node:test'
import { buildGroups } from '#src/balance/group.js'
import { algorithmNames } from '#src/balance/registry.js'
import { seededRandom } from '#src/balance/seeded-random.js'
import { CURSORS_PER_UPSTREAM, TieredBalancer } from '#src/balance/tiered.js'
import type { BalanceAlgorithm } from '#src/model/config.js'
import { BackendState, type BackendTable } from '#src/shared/backend-table.js'
import type { Chosen } from '../../helpers/thread-job.ts'
import { runInThreads } from '../../helpers/threads.ts'
import { emptyTable, membersOf, requestOf, sumCounts, threadJobs } from './setup.ts'

const { down, draining, maintenance } = BackendState

/** A balancer over backends with a weight of 1, given by their priorities. */
function balancerOf(
  algorithm: BalanceAlgorithm,
  priorities: readonly number[],
  table: BackendTable,
  maxConnections = Number.POSITIVE_INFINITY,
): TieredBalancer {
  const groups = buildGroups(
    membersOf(new Array(priorities.length).fill(1), (at) => ({ priority: priorities[at]!, maxConnections })),
  )
  const cursors = new Int32Array(CURSORS_PER_UPSTREAM)
  return new TieredBalancer({ algorithm, groups, table, cursors, cursor: 0, random: seededRandom(1) })
}

const chooseMany = (balancer: TieredBalancer, times: number, panicBits = 0) =>
  Array.from({ length: times }, (_, client) => balancer.choose(requestOf(Math.imul(client, 0x9e37_79b1)), panicBits))

for (const name of algorithmNames) {
  // 16. A backup serves only when no primary can; primaries get everything back afterwards.
  test(`TieredBalancer of ${name} uses a backup only while no primary can, and gives everything back`, () => {
    const table = emptyTable()
    const balancer = balancerOf(name, [16, 0, 0], table)
    assert.ok(!chooseMany(balancer, 20).includes(0))
    table.setState(1, down)
    assert.deepEqual(new Set(chooseMany(balancer, 20)), new Set([2]))
    table.setState(2, down)
    assert.deepEqual(new Set(chooseMany(balancer, 20)), new Set([0]))
    table.setState(1, 0)
    assert.deepEqual(new Set(chooseMany(balancer, 20)), new Set([1]))
  })

  // 21. What overflows goes to the backup, and past that is turned away.
  test(`TieredBalancer of ${name} overflows to the backup, and past that has none`, () => {
    const table = emptyTable()
    const positions = chooseMany(balancerOf(name, [0, 16, 0], table, 3), 12)
    assert.deepEqual(positions.slice(0, 6).sort(), [0, 0, 0, 2, 2, 2])
    assert.deepEqual(positions.slice(6), [1, 1, 1, -1, -1, -1])
  })

  test(`TieredBalancer of ${name} goes on to the backup when all primaries were tried`, () => {
    const balancer = balancerOf(name, [0, 0, 16], emptyTable())
    assert.equal(
      balancer.choose(
        requestOf(5, (row) => row < 2),
        0,
      ),
      2,
    )
    assert.equal(
      balancer.choose(
        requestOf(5, () => true),
        0,
      ),
      -1,
    )
  })

  test(`TieredBalancer of ${name} ignores health in a panic, not the operator, nor a limit, nor what was tried`, () => {
    const table = emptyTable()
    const balancer = balancerOf(name, [0, 0, 0, 0, 0, 16], table, 2)
    for (const [row, state] of [down, down, down, down | draining, down | maintenance].entries())
      table.setState(row, state)
    assert.equal(balancer.choose(requestOf(), 0), 5)
    assert.equal(balancer.choose(requestOf(), 0b10), 5)
    table.acquire(1, 2)
    table.acquire(1, 2)
    const isTried = (row: number) => row === 2 || row === 5
    const choices = [1, 2, 3].map(() => balancer.choose(requestOf(7, isTried), 0b01))
    assert.deepEqual(choices, [0, 0, -1])
  })
}

test('TieredBalancer goes through the tiers in the order of their numbers', () => {
  const table = emptyTable()
  const balancer = balancerOf('round-robin', [16, 7, 0, 3], table)
  const order = [2, 3, 1, 0, -1]
  for (const expected of order) {
    assert.equal(balancer.choose(requestOf(), 0), expected)
    if (expected >= 0) table.setState(expected, down)
  }
})

test('TieredBalancer keeps the turns of the backups exact while the primaries are asked in vain', () => {
  const table = emptyTable()
  const balancer = balancerOf('round-robin', [0, 0, 16, 16, 16], table)
  table.setState(0, down)
  table.setState(1, down)
  assert.deepEqual(chooseMany(balancer, 6), [2, 3, 4, 2, 3, 4])
})

test('TieredBalancer holds maxConnections over its tiers, four threads choosing at once', async (t) => {
  const priorities = [0, 0, 1, 16]
  const groups = buildGroups(membersOf([1, 2, 1, 1], (at) => ({ priority: priorities[at]!, maxConnections: 500 })))
  const { jobs } = threadJobs('least-connections', groups, { threads: 4, choices: 600, keep: Number.POSITIVE_INFINITY })
  const results = await runInThreads<Chosen>(t, jobs)
  assert.deepEqual(sumCounts(results), [500, 500, 500, 500])
  assert.equal(
    results.reduce((sum, { none }) => sum + none, 0),
    400,
  )
})

test('TieredBalancer has none without groups, and refuses more groups than there are cursors', () => {
  const table = emptyTable()
  assert.equal(balancerOf('random', [], table).choose(requestOf(), 0), -1)
  const groups = buildGroups(membersOf([1, 1], (at) => ({ priority: at })))
  const parts = {
    algorithm: 'random',
    groups,
    table,
    cursors: new Int32Array(1),
    cursor: 0,
    random: Math.random,
  } as const
  assert.throws(() => new TieredBalancer(parts), RangeError)
})
