import assert from 'node:assert/strict'
import test from 'node:test'
import { checkBans } from '../../../scripts/rule/bans.ts'

const check = (path: string, text: string) =>
  checkBans([{ path, text }]).map(({ message, line }) => `${line} ${message}`)

const banned = [
  'async function f() {}',
  'await f()',
  'new Promise(f)',
  'setTimeout(f)',
  'setInterval(f)',
  'setImmediate(f)',
  'queueMicrotask(f)',
  'process.nextTick(f)',
  'console.log(1)',
  'new FinalizationRegistry(f)',
  'new WeakRef(f)',
  'class A extends EventEmitter {}',
  'koffi.load(null)',
]

for (const line of banned) {
  test(`checkBans() refuses \`${line}\` in the data plane`, () => {
    assert.equal(check('dataplane/a.ts', `let a = 1\n${line}`).length, 1)
    assert.match(check('dataplane/a.ts', `let a = 1\n${line}`)[0] ?? '', /^2 holds /)
  })
}

test('checkBans() allows koffi in the kernel, and promises in control', () => {
  assert.deepEqual(check('kernel/libc.ts', 'koffi.load(null)'), [])
  assert.deepEqual(check('control/run.ts', 'await Promise.all([])'), [])
})

test('checkBans() reads code, neither comments nor strings nor longer names', () => {
  assert.deepEqual(check('dataplane/a.ts', `// no await\nconst asyncError = 'console'`), [])
})

test('checkBans() refuses a clock and chance in pure folders', () => {
  assert.deepEqual(check('balance/a.ts', 'Math.random() < Date.now()'), ['1 holds Math.random', '1 holds Date.now'])
})
