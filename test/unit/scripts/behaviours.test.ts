import assert from 'node:assert/strict'
import test from 'node:test'
import { checkBehaviours } from '../../../scripts/rule/behaviours.ts'

const list = { standing: [1, 2], texts: { 1: 'One.', 2: 'Two.', 3: 'Three.' } }
const check = (text: string) => checkBehaviours([{ path: 'a.test.ts', text }], list).map(({ message }) => message)

test('checkBehaviours() is content when every standing number has a test', () => {
  assert.deepEqual(check("test('1. it works', f)\n  await t.test(`2. so does`, f)\ntest('3. more', f)"), [])
})

test('checkBehaviours() names the standing behaviour that has no test', () => {
  assert.deepEqual(check("test('1. it works', f)"), ["no test is named '2. …': Two."])
})

test('checkBehaviours() does not count skipped and planned tests', () => {
  assert.equal(check("test.skip('1. it works', f)\ntest.todo('2. later')").length, 2)
})

test('checkBehaviours() refuses a number that the list does not have', () => {
  assert.deepEqual(check("test('1. a', f)\ntest('2. b', f)\ntest('99. c', f)"), [
    'names behaviour 99, which the list does not have',
  ])
})
