import assert from 'node:assert/strict'
import test from 'node:test'
import { compareMembers } from '#src/control/member-changes.js'
import { makeServer } from '../../helpers/config-maker.ts'

test('compareMembers() is null where all are as they were, in whatever order', () => {
  assert.equal(compareMembers([], []), null)
  assert.equal(compareMembers([makeServer(1), makeServer(2)], [makeServer(2), makeServer(1)]), null)
})

test('compareMembers() names who joined and who left, and leaves out what is empty', () => {
  assert.deepEqual(compareMembers([makeServer(1), makeServer(2)], [makeServer(2), makeServer(3)]), {
    joined: ['127.0.0.1:3'],
    left: ['127.0.0.1:1'],
  })
  assert.deepEqual(compareMembers([], [makeServer(3)]), { joined: ['127.0.0.1:3'] })
  assert.deepEqual(compareMembers([makeServer(3)], []), { left: ['127.0.0.1:3'] })
})

test('compareMembers() says what has changed of those that stay', () => {
  const before = [makeServer(1, { zone: 'a' }), makeServer(2), makeServer(3)]
  const after = [
    makeServer(1, { weight: 2, state: 'drain' }),
    makeServer(2),
    makeServer(3, { priority: 16, maxConnections: 5, zone: 'b' }),
  ]
  assert.deepEqual(compareMembers(before, after), {
    changed: [
      '127.0.0.1:1: weight 1 → 2, state ready → drain, zone a → none',
      '127.0.0.1:3: priority 0 → 16, maxConnections unlimited → 5, zone none → b',
    ],
  })
})

test('compareMembers() names ten of each kind, and counts the rest', () => {
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => makeServer(from + i))
  const changes = compareMembers(
    [...range(100, 111), ...range(300, 312)],
    [...range(200, 213), ...range(300, 312).map((server) => ({ ...server, weight: 9 }))],
  )!
  assert.deepEqual([changes.joined?.length, changes.moreJoined], [10, 3])
  assert.deepEqual([changes.left?.length, changes.moreLeft], [10, 1])
  assert.deepEqual([changes.changed?.length, changes.moreChanged], [10, 2])
  assert.equal(compareMembers(range(1, 11), [])?.moreLeft, undefined)
})
