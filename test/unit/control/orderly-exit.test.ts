import assert from 'node:assert/strict'
import test from 'node:test'
import { runScript, Script } from '../../helpers/script.ts'

const start = `import { OrderlyExit } from '#src/control/orderly-exit.js'
const exit = new OrderlyExit()
// Something that keeps the process alive, as blocked workers do.
setInterval(() => {}, 1000)
`

test('OrderlyExit.exit() stops the threads, waits for the flush, and ends with the code', async (t) => {
  const script = new Script(
    t,
    `${start}import { writeSync } from 'node:fs'
    exit.register({ stopThreads: () => writeSync(1, 'stopped ') })
    exit.register({ flush: () => new Promise((resolve) => setImmediate(() => { writeSync(1, 'flushed'); resolve() })) })
    exit.exit(41)`,
  )
  assert.equal(await script.ended, 41)
  assert.equal(script.stdout, 'stopped flushed')
})

test('OrderlyExit.exit() ends within a second or so though the flush never does', async (t) => {
  const script = new Script(
    t,
    `${start}exit.register({ flush: () => new Promise(() => {}) })\nconsole.log('go')\nexit.exit(42)`,
  )
  await script.says('go')
  const from = performance.now()
  assert.equal(await script.ended, 42)
  const ms = performance.now() - from
  assert.ok(ms > 500 && ms < 3000, `it took ${ms} ms`)
})

for (const [what, options] of Object.entries({
  'threads cannot be stopped': "{ stopThreads: () => { throw new Error('no') } }",
  'the flush throws': "{ flush: () => { throw new Error('no') } }",
  'the flush rejects': "{ flush: () => Promise.reject(new Error('no')) }",
})) {
  test(`OrderlyExit.exit() ends with the code where ${what}`, async (t) => {
    const script = new Script(t, `${start}exit.register(${options})\nexit.exit(43)`)
    assert.equal(await script.ended, 43)
    assert.equal(script.stderr, '')
  })
}

test('OrderlyExit.exit() keeps the code of the first call', async (t) => {
  const script = new Script(t, `${start}exit.exit(44)\nconsole.error(exit.isExiting)\nexit.exit(45)`)
  assert.equal(await script.ended, 44)
})

test('OrderlyExit.exit() flushes nothing twice', async (t) => {
  const output = await runScript(
    t,
    `${start}import { writeSync } from 'node:fs'
    exit.register({ flush: async () => void writeSync(1, 'flushed ') })
    exit.exit(0)
    exit.exit(0)`,
  )
  assert.equal(output, 'flushed ')
})

test('OrderlyExit.exitAtOnce() stops the threads and waits for nothing', async (t) => {
  const script = new Script(
    t,
    `${start}import { writeSync } from 'node:fs'
    exit.register({ stopThreads: () => { writeSync(1, 'stopped'); throw new Error('no') }, flush: async () => void writeSync(1, 'flushed') })
    exit.exitAtOnce(46)`,
  )
  assert.equal(await script.ended, 46)
  assert.equal(script.stdout, 'stopped')
})
