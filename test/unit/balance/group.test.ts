import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { buildGroups, longestSchedule, MAX_SCHEDULE } from '#src/balance/group.js'
import { identityOf } from '#src/balance/source-key.js'
import { membersOf } from './setup.ts'

test('buildGroups() makes a group for each priority, the lowest number first, in the order of the members', () => {
  const priorities = [16, 0, 3, 0, 16]
  const groups = buildGroups(
    membersOf([5, 1, 2, 3, 4], (at) => ({
      priority: priorities[at]!,
      row: 100 + at,
      maxConnections: at === 3 ? 7 : Number.POSITIVE_INFINITY,
    })),
  )
  assert.deepEqual(
    groups.map(({ positions }) => [...positions]),
    [[1, 3], [2], [0, 4]],
  )
  const [first] = groups
  assert.deepEqual([...first!.rows], [101, 103])
  assert.deepEqual([...first!.weights], [1, 3])
  assert.deepEqual([...first!.maxConnections], [Number.POSITIVE_INFINITY, 7])
  assert.deepEqual([...first!.identities], ['10.0.0.1:9100', '10.0.0.3:9100'].map(identityOf))
  assert.deepEqual([...first!.schedule], [1, 0, 1, 1])
})

test('buildGroups() makes no group of no members', () => {
  assert.deepEqual(buildGroups([]), [])
})

test('buildGroups() gives names that collide different identities, whatever the order of the members', () => {
  // These two have the same hash.
  const [one, other] = ['10.0.200.33:9100', '10.1.6.218:9100']
  assert.equal(identityOf(one), identityOf(other))
  const members = membersOf([1, 1, 1], (at) => ({ name: [other, 'b:1', one][at]! }))
  const identities = buildGroups(members)[0]!.identities
  assert.equal(new Set(identities).size, 3)
  assert.equal(identities[2], identityOf(one))
  assert.deepEqual([...buildGroups(members.toReversed())[0]!.identities].reverse(), [...identities])
})

test('longestSchedule() is the length of the longest schedule that buildGroups() makes', () => {
  const member = fc.record({ weight: fc.integer({ min: 1, max: 256 }), priority: fc.integer({ min: 0, max: 2 }) })
  fc.assert(
    fc.property(fc.array(member, { maxLength: 12 }), (given) => {
      const members = membersOf(new Array(given.length).fill(1), (at) => given[at]!)
      const lengths = buildGroups(members).map(({ schedule }) => schedule.length)
      assert.equal(longestSchedule(members), Math.max(0, ...lengths))
    }),
  )
})

test('buildGroups() refuses a round that is longer than the longest', () => {
  const members = membersOf(Array.from({ length: 8192 }, (_, at) => (at === 0 ? 127 : 129)))
  assert.ok(longestSchedule(members) > MAX_SCHEDULE)
  assert.throws(() => buildGroups(members), RangeError)
})
