import assert from 'node:assert/strict'
import test from 'node:test'
import { Libc } from '#src/kernel/libc.js'
import { createEvent, signalEvent } from '#src/kernel/process.js'
import { runScript, Script } from '../../helpers/script.ts'

const kernel = new Libc()

const raise = `import { raiseDescriptorLimit } from '#src/kernel/process.js'
import { readFileSync } from 'node:fs'
const result = raiseDescriptorLimit()
const [, soft, hard] = /Max open files\\s+(\\d+)\\s+(\\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))
console.log(JSON.stringify([result, Number(soft), Number(hard)]))`

test('raiseDescriptorLimit() raises the soft limit to the hard one', async (t) => {
  const output = await runScript(t, raise, { prefix: ['prlimit', '--nofile=200:700'] })
  assert.deepEqual(JSON.parse(output), [700, 700, 700])
})

test('raiseDescriptorLimit() leaves a limit that is as high as it may be', async (t) => {
  const output = await runScript(t, raise, { prefix: ['prlimit', '--nofile=300:300'] })
  assert.deepEqual(JSON.parse(output), [300, 300, 300])
})

test('signalEvent() counts, and never blocks when the count is full', async () => {
  const fd = createEvent()
  for (let n = 0; n < 1000; n++) signalEvent(fd)
  assert.equal(kernel.drainEvent(fd), 8)
  kernel.close(fd)
})

test('signalEvent() on a descriptor that is closed does no harm', () => {
  const fd = createEvent()
  kernel.close(fd)
  signalEvent(fd)
})

test('exitNow() ends the process with its code, though a thread is blocked', async (t) => {
  const script = new Script(
    t,
    `import { Worker } from 'node:worker_threads'
    import { exitNow } from '#src/kernel/process.js'
    const code = "require('node:worker_threads').parentPort.postMessage(0); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"
    process.on('exit', () => console.log('an exit handler ran'))
    new Worker(code, { eval: true, execArgv: [] }).once('message', () => exitNow(37))`,
  )
  assert.equal(await script.ended, 37)
  assert.equal(script.stdout, '')
})
