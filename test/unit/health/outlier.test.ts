import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { EjectionPolicy } from '#src/health/outlier.js'
import type { OutlierConfig } from '#src/model/config.js'

const config: OutlierConfig = {
  consecutiveFailures: 5,
  earlyResetMs: 0,
  ejectionMs: 1000,
  maxEjectionMs: 3000,
  maxShare: 0.5,
}

/** How long each of several ejections takes that follow `goodMs` after the one before. */
function durations(policy: EjectionPolicy, goodMs: number, times: number, startMs = 0): number[] {
  let nowMs = startMs
  return Array.from({ length: times }, () => {
    assert.equal(policy.noteFailing('a', nowMs, 4), 'ejected')
    const untilMs = policy.ejections().get('a')!.untilMs
    assert.deepEqual(policy.due(untilMs - 1), [])
    assert.deepEqual(policy.due(untilMs), ['a'])
    const durationMs = untilMs - nowMs
    nowMs = untilMs + goodMs
    return durationMs
  })
}

test('EjectionPolicy.noteFailing() ejects for longer each time, up to the longest', () => {
  assert.deepEqual(durations(new EjectionPolicy(config), 0, 5), [1000, 2000, 3000, 3000, 3000])
})

test('EjectionPolicy.noteFailing() forgets one ejection for each ejectionMs of good service', () => {
  assert.deepEqual(durations(new EjectionPolicy(config), 1000, 3), [1000, 1000, 1000])
  const policy = new EjectionPolicy(config)
  const [, , third] = durations(policy, 999, 3)
  assert.equal(third, 3000)
})

test('EjectionPolicy.noteFailing() does not remember more ejections than the longest one stands for', () => {
  const policy = new EjectionPolicy(config)
  durations(policy, 0, 50)
  const { untilMs } = policy.ejections().get('a')!
  assert.deepEqual(durations(policy, 0, 1, untilMs + 3000), [1000])
})

test('EjectionPolicy.noteFailing() ejects no backend twice', () => {
  const policy = new EjectionPolicy(config)
  assert.equal(policy.noteFailing('a', 0, 4), 'ejected')
  assert.equal(policy.noteFailing('a', 10, 4), null)
  assert.equal(policy.ejections().get('a')!.untilMs, 1000)
})

test('EjectionPolicy.noteFailing() ejects one of two however small the share, and never the only one below 100 %', () => {
  const narrow = { ...config, maxShare: 0 }
  assert.equal(new EjectionPolicy(narrow).noteFailing('a', 0, 1), 'spared')
  const policy = new EjectionPolicy(narrow)
  assert.equal(policy.noteFailing('a', 0, 2), 'ejected')
  assert.equal(policy.noteFailing('b', 0, 2), 'spared')
  assert.equal(new EjectionPolicy({ ...config, maxShare: 1 }).noteFailing('a', 0, 1), 'ejected')
})

test('EjectionPolicy.noteFailing() gives the place of one that is back, or gone, to another', () => {
  const policy = new EjectionPolicy(config)
  assert.equal(policy.noteFailing('a', 0, 2), 'ejected')
  policy.due(1000)
  assert.equal(policy.noteFailing('b', 1000, 2), 'ejected')
  policy.forget('b')
  assert.equal(policy.noteFailing('c', 1000, 2), 'ejected')
  assert.equal(policy.isEjected('b'), false)
  assert.ok(policy.isEjected('c'))
})

test('EjectionPolicy.noteFailing() never ejects more than the share allows', () => {
  const keys = fc.constantFrom(...'abcdefghij')
  const steps = fc.array(fc.tuple(keys, fc.nat(1500), fc.boolean()), { maxLength: 200 })
  fc.assert(
    fc.property(steps, fc.double({ min: 0, max: 1, noNaN: true }), (taken, maxShare) => {
      const policy = new EjectionPolicy({ ...config, maxShare })
      let nowMs = 0
      for (const [key, pauseMs, isForgotten] of taken) {
        nowMs += pauseMs
        policy.due(nowMs)
        policy.noteFailing(key, nowMs, 10)
        if (isForgotten) policy.forget(key)
        const ejected = [...'abcdefghij'].filter((each) => policy.isEjected(each)).length
        assert.ok(ejected <= Math.max(1, Math.floor(10 * maxShare + 1e-9)))
      }
    }),
  )
})

test('EjectionPolicy.due() forgets backends that have served well for long enough', () => {
  const policy = new EjectionPolicy(config)
  policy.noteFailing('a', 0, 4)
  policy.due(1000)
  policy.due(1999)
  assert.equal(policy.ejections().size, 1)
  policy.due(2000)
  assert.equal(policy.ejections().size, 0)
})

test('EjectionPolicy takes over the ejections of its predecessor', () => {
  const before = new EjectionPolicy(config)
  before.noteFailing('a', 0, 2)
  const after = new EjectionPolicy(config, before)
  assert.ok(after.isEjected('a'))
  assert.equal(after.noteFailing('b', 0, 2), 'spared')
  assert.deepEqual(after.due(1000), ['a'])
  assert.equal(after.noteFailing('b', 1000, 2), 'ejected')
})

test('EjectionPolicy.noteFailing() says once that a backend is spared, and anew when that may have changed', () => {
  const policy = new EjectionPolicy(config)
  policy.noteFailing('a', 0, 2)
  const spares = (key: string, nowMs: number) => policy.noteFailing(key, nowMs, 2) === 'spared'
  assert.deepEqual([spares('b', 1), spares('b', 500), spares('c', 500)], [true, false, true])
  assert.equal(spares('b', 1499), false)
  assert.equal(spares('b', 2499), true)
  assert.deepEqual(policy.due(2500), ['a'])
  policy.noteFailing('c', 2500, 2)
  assert.equal(spares('b', 2501), true)
  assert.equal(new EjectionPolicy(config, policy).noteFailing('b', 2502, 2), null)
})

test('EjectionPolicy.endsAtMs() is the end of an ejection while it lasts', () => {
  const policy = new EjectionPolicy(config)
  assert.equal(policy.endsAtMs('a'), undefined)
  policy.noteFailing('a', 500, 2)
  assert.equal(policy.endsAtMs('a'), 1500)
  policy.due(1500)
  assert.equal(policy.endsAtMs('a'), undefined)
})
