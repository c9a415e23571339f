import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import type { Group } from '#src/balance/balancer.js'
import { buildGroups, type GroupMember } from '#src/balance/group.js'
import { identityOf } from '#src/balance/source-key.js'
import type { BackendTable } from '#src/shared/backend-table.js'
import { algorithmOf, countChoices, emptyTable, groupOf, membersOf, requestOf, unevenness } from './setup.ts'

const weightLists = fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 2, maxLength: 20 })

/** The row that each of so many clients gets, each by itself. */
function rowsOf(group: Group, table: BackendTable, clients: number, isExcluded?: (row: number) => boolean): number[] {
  const algorithm = algorithmOf('source-hash', group, table)
  return Array.from({ length: clients }, (_, client) => {
    const index = algorithm.choose(requestOf(identityOf(`client ${client}`), isExcluded), false)
    const row = index < 0 ? -1 : group.rows[index]!
    if (row >= 0) table.release(row)
    return row
  })
}

/** What rendezvous hashing is, written down plainly: the least -ln(u) / weight. */
function rowsByTheBook(members: readonly GroupMember[], group: Group, clients: number): number[] {
  return Array.from({ length: clients }, (_, client) => {
    const scores = members.map(({ weight }, at) => {
      const hash = murmur3OfWord(identityOf(`client ${client}`), group.identities[at]!)
      return -Math.log(1 - (hash + 0.5) / 2 ** 32) / weight
    })
    return members[scores.indexOf(Math.min(...scores))]!.row
  })
}

function murmur3OfWord(word: number, seed: number): number {
  const rotate = (x: number, by: number) => (x << by) | (x >>> (32 - by))
  let h = seed ^ Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593)
  h = (Math.imul(rotate(h, 13), 5) + 0xe6546b64) ^ 4
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

// 20. Source hash: 10/10 to one backend; a removed backend moves only its own clients.
test('SourceHash.choose() sends all 10 connections of a client to one backend', () => {
  const group = groupOf([1, 1, 1])
  const algorithm = algorithmOf('source-hash', group, emptyTable())
  const first = algorithm.choose(requestOf(1234), false)
  for (let n = 1; n < 10; n++) assert.equal(algorithm.choose(requestOf(1234), false), first)
})

test('SourceHash.choose() takes the least -ln(u) / weight', () => {
  fc.assert(
    fc.property(weightLists, (weights) => {
      const members = membersOf(weights)
      const group = buildGroups(members)[0]!
      assert.deepEqual(rowsOf(group, emptyTable(), 100), rowsByTheBook(members, group, 100))
    }),
  )
})

test('SourceHash.choose() moves only the clients of a removed backend, and gives them back when it returns', () => {
  fc.assert(
    fc.property(weightLists, fc.nat(), (weights, pick) => {
      const members = membersOf(weights)
      const gone = pick % weights.length
      const left = members.filter(({ row }) => row !== gone)
      const table = emptyTable()
      const before = rowsOf(buildGroups(members)[0]!, table, 200)
      const without = rowsOf(buildGroups(left)[0]!, table, 200)
      for (const [client, row] of before.entries())
        assert.ok(row === gone ? without[client] !== gone : without[client] === row)
      assert.deepEqual(rowsOf(buildGroups([...left, members[gone]!])[0]!, table, 200), before)
    }),
    { numRuns: 50 },
  )
})

test('SourceHash.choose() moves the same clients to the same backends when one is removed, down, full or excluded', () => {
  fc.assert(
    fc.property(weightLists, fc.nat(), (weights, pick) => {
      const gone = pick % weights.length
      const members = membersOf(weights, (row) => ({ maxConnections: row === gone ? 1 : 1000 }))
      const group = buildGroups(members)[0]!
      const table = emptyTable()
      const before = rowsOf(group, table, 200)
      const expected = rowsOf(buildGroups(members.filter(({ row }) => row !== gone))[0]!, table, 200)
      assert.deepEqual(
        rowsOf(group, table, 200, (row) => row === gone),
        expected,
      )
      table.setState(gone, 1)
      assert.deepEqual(rowsOf(group, table, 200), expected)
      table.setState(gone, 0)
      table.acquire(gone, 1)
      assert.deepEqual(rowsOf(group, table, 200), expected)
      table.release(gone)
      assert.deepEqual(rowsOf(group, table, 200), before)
    }),
    { numRuns: 30 },
  )
})

test('SourceHash.choose() moves clients only to a backend whose share grows in slow start', () => {
  const table = emptyTable()
  const group = groupOf([3, 1, 2, 5])
  let before = rowsOf(group, table, 2000, (row) => row === 2)
  for (const share of [0.01, 0.1, 0.3, 0.6, 1]) {
    table.setShare(2, share)
    const after = rowsOf(group, table, 2000)
    for (const [client, row] of after.entries()) assert.ok(row === before[client] || row === 2)
    assert.ok(after.filter((row) => row === 2).length > before.filter((row) => row === 2).length)
    before = after
  }
})

test('SourceHash.choose() gives a backend in slow start the clients of its weight and share', () => {
  const table = emptyTable()
  table.setShare(1, 0.25)
  const group = groupOf([1, 2, 1])
  const counts = countChoices(algorithmOf('source-hash', group, table), group, 20_000)
  assert.ok(unevenness(counts, [2, 1, 2]) < 1, `${counts}`)
})

for (const [kind, weights] of [
  ['equal', new Array<number>(10).fill(1)],
  ['unequal', [1, 2, 3, 50, 256, 7, 7, 100]],
  ['a hundred equal', new Array<number>(100).fill(4)],
  ['a thousand unequal', Array.from({ length: 1000 }, (_, row) => 1 + (row % 4))],
] as const) {
  test(`SourceHash.choose() spreads clients evenly over backends of weights that are ${kind}`, () => {
    const group = groupOf(weights)
    for (const seed of [1, 2]) {
      const counts = countChoices(algorithmOf('source-hash', group, emptyTable()), group, 50_000, { seed })
      assert.ok(unevenness(counts, weights) < 1)
    }
  })
}

test('SourceHash.choose() spreads clients with neighbouring hashes evenly', () => {
  const group = groupOf(new Array<number>(16).fill(1))
  const algorithm = algorithmOf('source-hash', group, emptyTable())
  const counts = new Array<number>(16).fill(0)
  for (let client = -20_000; client < 20_000; client++) counts[algorithm.choose(requestOf(client), false)]! += 1
  assert.ok(
    unevenness(
      counts,
      counts.map(() => 1),
    ) < 1,
    `${counts}`,
  )
})

test('SourceHash.choose() takes the same backend for a hash as int32 and as uint32', () => {
  const group = groupOf(new Array<number>(50).fill(1))
  const algorithm = algorithmOf('source-hash', group, emptyTable())
  for (let client = -100; client < 0; client++)
    assert.equal(algorithm.choose(requestOf(client), false), algorithm.choose(requestOf(client >>> 0), false))
})

test('SourceHash.choose() gives the same backends to the same clients for ever', () => {
  const rows = rowsOf(groupOf([1, 1, 1, 1, 2, 2]), emptyTable(), 24)
  assert.equal(rows.join(' '), '4 5 5 5 4 3 5 2 4 2 0 2 4 0 5 0 0 5 5 4 5 3 5 0')
})
