import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FoundMember, MemberSet, type MemberSetLimits } from '#src/discovery/member-set.js'
import { formatAddress } from '#src/model/address.js'
import type { ServerConfig } from '#src/model/config.js'

function server(host: number, changes: Partial<ServerConfig> = {}): ServerConfig {
  const address = { family: 'ipv4', host: `10.0.0.${host}`, port: 9100 } as const
  const maxConnections = Number.POSITIVE_INFINITY
  return { address, weight: 1, maxConnections, priority: 0, state: 'ready', zone: '', ...changes }
}

function found(hosts: readonly number[], deadlineMs?: number): FoundMember[] {
  return hosts.map((host) => ({ server: server(host), deadlineMs }))
}

function hosts(set: MemberSet): number[] {
  return set.members.map(({ address }) => Number(formatAddress(address).split(/[.:]/)[3]))
}

function address(host: number): string {
  return `10.0.0.${host}:9100`
}

const defaults: MemberSetLimits = { maxMembers: 100, maxRemoval: 0.5, holdBackMs: 60_000, settleMs: 10_000 }

function setOf(members: readonly number[], limits: Partial<MemberSetLimits> = {}, deadlineMs?: number): MemberSet {
  const set = new MemberSet({ ...defaults, ...limits })
  set.update(found(members, deadlineMs), 0)
  return set
}

test('MemberSet.update() adds at once, and says that nothing changed when nothing did', () => {
  const set = setOf([2, 1])
  assert.deepEqual(hosts(set), [1, 2])
  const before = set.members
  assert.equal(set.update(found([1, 2]), 10).changed, false)
  assert.equal(set.members, before)
  assert.equal(set.update([...found([1]), { server: server(2, { weight: 5 }) }], 20).changed, true)
  assert.equal(set.members[1]?.weight, 5)
})

test('MemberSet.update() keeps everything when nothing is shown, for ever', () => {
  const set = setOf([1, 2], { holdBackMs: 0 }, 5000)
  for (const nowMs of [1, 10_000, 1e9]) set.update([], nowMs)
  assert.deepEqual(hosts(set), [1, 2])
  assert.deepEqual(set.due(1e9), [])
})

test('MemberSet.update() lets few go at once and holds many back until they stayed away for holdBackMs', () => {
  const set = setOf([1, 2, 3, 4])
  set.update(found([1, 2]), 1000)
  assert.deepEqual(hosts(set), [1, 2])
  const other = setOf([1, 2, 3, 4])
  other.update(found([1, 5]), 1000)
  assert.deepEqual(hosts(other), [1, 2, 3, 4, 5])
  assert.deepEqual(other.heldBack, { removed: [2, 3, 4].map(address), sinceMs: 1000, untilMs: 61_000 })
  other.update(found([1, 5, 6]), 60_999)
  assert.deepEqual(hosts(other), [1, 2, 3, 4, 5, 6])
  assert.equal(other.update(found([1, 5, 6]), 61_000).changed, true)
  assert.deepEqual(hosts(other), [1, 5, 6])
  assert.equal(other.heldBack, undefined)
})

// The newcomers were counted as members at the next read: the loss looked small then, and was believed after one interval.
test('MemberSet.update() goes on holding a loss back however many join meanwhile', () => {
  const set = setOf([1, 2, 3, 4], { holdBackMs: Number.POSITIVE_INFINITY })
  for (let nowMs = 1000; nowMs <= 5000; nowMs += 1000) set.update(found([5, 6, 7, 8]), nowMs)
  assert.deepEqual(hosts(set), [1, 2, 3, 4, 5, 6, 7, 8])
  set.update(found([5, 6, 7, 8, 9]), 6000)
  assert.deepEqual(set.heldBack?.removed, [1, 2, 3, 4].map(address))
  // Once they are all back, the newcomers are members like any other.
  set.update(found([1, 2, 3, 4, 5, 6, 7, 8, 9]), 7000)
  set.update(found([1, 6, 7, 8, 9]), 8000)
  assert.deepEqual(hosts(set), [1, 6, 7, 8, 9])
})

// Each change of the newcomers began the time anew, and held back whoever of them had gone: dead members piled up.
test('MemberSet.update() holds a loss back no longer for the comings and goings of newcomers', () => {
  const set = setOf([1, 2, 3, 4])
  for (let second = 1; second <= 59; second++) {
    set.update(found([4, 10 + second, 100, 101, 102]), 1000 * second)
    assert.equal(set.members.length, 8)
  }
  assert.deepEqual(set.heldBack, { removed: [1, 2, 3].map(address), sinceMs: 1000, untilMs: 61_000 })
  set.update(found([4, 70, 100, 101, 102]), 61_000)
  assert.deepEqual(hosts(set).sort(), [100, 101, 102, 4, 70])
})

test('MemberSet.update() holds back a loss of many newcomers with that which is held back already', () => {
  const set = setOf([1, 2, 3, 4])
  set.update(found([4, 5, 6, 7, 8]), 1000)
  set.update(found([4]), 30_000)
  assert.deepEqual(set.heldBack, { removed: [1, 2, 3, 5, 6, 7, 8].map(address), sinceMs: 30_000, untilMs: 90_000 })
})

// The first read after ten minutes without the source believed a loss that had been seen for a second.
test('MemberSet.update() does not count the time without the source for a loss that is held back', () => {
  const set = setOf([1, 2, 3, 4], { settleMs: 0 })
  set.update(found([1]), 1000)
  set.update(found([1]), 2000)
  set.lose(3000)
  set.update([], 4000)
  set.update(found([1]), 600_000)
  assert.deepEqual(set.heldBack, { removed: [2, 3, 4].map(address), sinceMs: 598_000, untilMs: 658_000 })
  set.update(found([1]), 658_000)
  assert.deepEqual(hosts(set), [1])
})

test('MemberSet.update() does not count members of another source among those of whom many are lost', () => {
  const set = restored([11, 12, 13, 14, 15, 16, 17, 18], 'foreign')
  set.update(found([1, 2, 3, 4]), 1000)
  set.update(found([1]), 2000)
  assert.deepEqual(
    set.heldBack?.removed.filter((key) => /0\.\d:/.test(key)),
    [2, 3, 4].map(address),
  )
})

test('MemberSet.update() starts the time anew when an update that is held back changes, and forgets it when all return', () => {
  const set = setOf([1, 2, 3, 4])
  set.update(found([1]), 1000)
  set.update(found([2]), 50_000)
  assert.equal(set.heldBack?.sinceMs, 50_000)
  set.update(found([2]), 61_000)
  assert.deepEqual(hosts(set), [1, 2, 3, 4])
  set.update(found([1, 2, 3, 4]), 62_000)
  assert.equal(set.heldBack, undefined)
})

test('MemberSet.update() never holds back the loss of one member, nor any loss while maxRemoval is all', () => {
  const set = setOf([1, 2])
  set.update(found([1]), 1)
  assert.deepEqual(hosts(set), [1])
  const strict = setOf([1, 2, 3], { maxRemoval: 0 })
  strict.update(found([1, 2]), 1)
  assert.deepEqual(hosts(strict), [1, 2])
  const lax = setOf([1, 2, 3, 4], { maxRemoval: 1 })
  lax.update(found([1]), 1)
  assert.deepEqual(hosts(lax), [1])
  const never = setOf([1, 2, 3], { holdBackMs: Number.POSITIVE_INFINITY })
  never.update(found([1]), 1)
  never.update(found([1]), 1e12)
  assert.deepEqual(hosts(never), [1, 2, 3])
})

test('MemberSet.update() lets members go that are past their own deadline, however many', () => {
  const set = setOf([1, 2, 3, 4], {}, 5000)
  set.update(found([4], 10_000), 5000)
  assert.deepEqual(hosts(set), [4])
  const early = setOf([1, 2, 3, 4], {}, 5000)
  early.update(found([4], 10_000), 4999)
  assert.deepEqual(hosts(early), [1, 2, 3, 4])
})

test('MemberSet.expire() removes confirmed members at once and goes on holding the others back', () => {
  const set = setOf([1, 2, 3, 4], {}, 5000)
  set.update(found([4], 10_000), 1000)
  assert.deepEqual(set.due(5000), [1, 2, 3].map(address))
  set.prolong(address(3), 9000)
  assert.equal(set.expire([1, 2].map(address), 5000).changed, true)
  assert.deepEqual(hosts(set), [3, 4])
  assert.deepEqual(set.heldBack?.removed, [address(3)])
  assert.equal(set.nextDeadlineMs, 9000)
})

test('MemberSet.expire() keeps everybody when nobody would be left', () => {
  const set = setOf([1, 2], {}, 5000)
  assert.equal(set.expire([1, 2].map(address), 5000).changed, false)
  assert.deepEqual(hosts(set), [1, 2])
  assert.equal(set.nextDeadlineMs, Number.POSITIVE_INFINITY)
})

test('MemberSet.lose() makes deadlines that pass while the source is away count for nothing', () => {
  const set = setOf([1, 2, 3, 4], {}, 5000)
  set.lose(6000)
  assert.deepEqual(set.due(9000), [])
  // A registry that was restarted empty fills one by one.
  set.update(found([1], 15_000), 10_000)
  assert.deepEqual(hosts(set), [1, 2, 3, 4])
  set.update(found([1, 2, 3, 4], 15_000), 11_000)
  assert.equal(set.heldBack, undefined)
})

test('MemberSet.update() gives places to members first and then by address, and counts the rest', () => {
  const set = setOf([7, 8], { maxMembers: 3 })
  assert.equal(set.update(found([9, 5, 6, 8, 7]), 1).tooMany, 2)
  assert.deepEqual(hosts(set), [5, 7, 8])
})

function restored(members: readonly number[], standing: 'unseen' | 'foreign', limits: Partial<MemberSetLimits> = {}) {
  const set = new MemberSet({ ...defaults, ...limits })
  set.restore(
    members.map((host) => server(host)),
    standing,
  )
  return set
}

test('MemberSet.restore() starts with members that stay until the source has settled', () => {
  const set = restored([3, 1, 2], 'unseen')
  assert.deepEqual(hosts(set), [1, 2, 3])
  set.update([], 1)
  assert.deepEqual(hosts(set), [1, 2, 3])
  set.update(found([2, 3, 9]), 1000)
  assert.deepEqual(hosts(set), [1, 2, 3, 9])
  assert.deepEqual(set.heldBack, { removed: [address(1)], sinceMs: 1000, untilMs: 11_000 })
  set.update(found([2, 3, 9]), 10_999)
  assert.deepEqual(hosts(set), [1, 2, 3, 9])
  set.update(found([2, 3, 9]), 11_000)
  assert.deepEqual(hosts(set), [2, 3, 9])
  assert.equal(set.heldBack, undefined)
})

test('MemberSet.restore() holds the loss of many back as any loss, and for ever where the limit says so', () => {
  const set = restored([1, 2, 3], 'unseen')
  set.update(found([1]), 1000)
  set.update(found([1]), 60_999)
  assert.deepEqual(hosts(set), [1, 2, 3])
  assert.equal(set.heldBack?.untilMs, 61_000)
  set.update(found([1]), 61_000)
  assert.deepEqual(hosts(set), [1])
  const never = restored([1, 2, 3], 'unseen', { holdBackMs: Number.POSITIVE_INFINITY })
  for (const nowMs of [1, 1e9]) never.update(found([1]), nowMs)
  assert.deepEqual(hosts(never), [1, 2, 3])
})

test('MemberSet.restore() keeps those of another source until this one has settled, however many they are', () => {
  const set = restored([1, 2, 3], 'foreign', { holdBackMs: Number.POSITIVE_INFINITY })
  set.update(found([8]), 1000)
  set.update(found([8, 9]), 10_999)
  assert.deepEqual(hosts(set), [1, 2, 3, 8, 9])
  set.update(found([8, 9]), 11_000)
  assert.deepEqual(hosts(set), [8, 9])
})

test('MemberSet.lose() gives a source that comes back its time to show everybody, few or many', () => {
  const set = setOf([1, 2, 3])
  set.update([], 1000)
  set.update(found([1, 2]), 2000)
  assert.deepEqual(hosts(set), [1, 2, 3])
  // One that it has shown since then and that leaves is gone, as ever.
  set.update(found([1, 3]), 3000)
  assert.deepEqual(hosts(set), [1, 3])
  set.lose(1)
  set.update(found([1]), 20_000)
  set.update(found([1]), 30_000)
  assert.deepEqual(hosts(set), [1])
})

test('MemberSet believes every read where maxRemoval is all or nothing is held back', () => {
  for (const limits of [{ maxRemoval: 1 }, { holdBackMs: 0 }]) {
    const set = restored([1, 2, 3], 'unseen', limits)
    set.update(found([3]), 1)
    assert.deepEqual(hosts(set), [3])
    set.update([], 2)
    set.update(found([4]), 3)
    assert.deepEqual(hosts(set), [4])
  }
})

test('MemberSet.drop() removes who may be no member any more, the last one too', () => {
  const set = setOf([1, 2, 3, 4])
  set.update(found([1]), 1)
  assert.equal(set.drop(({ address }) => formatAddress(address) !== '10.0.0.4:9100').changed, true)
  assert.deepEqual(hosts(set), [4])
  assert.deepEqual(set.heldBack?.removed, [address(4)])
  assert.equal(set.drop(() => true).changed, true)
  assert.deepEqual(hosts(set), [])
  assert.equal(set.heldBack, undefined)
})
