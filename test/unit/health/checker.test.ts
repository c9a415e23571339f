import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import { Checker, type CheckerOptions, type CheckTarget } from '#src/health/checker.js'
import { probe } from '#src/health/probe.js'
import type { SocketAddress } from '#src/model/address.js'
import type { HealthConfig } from '#src/model/config.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { freePort } from '../../helpers/free-port.ts'
import { needs } from '../../helpers/peers.ts'
import { runScript } from '../../helpers/script.ts'
import { waitUntil } from '../../helpers/wait-until.ts'
import { loopback, makeHealth, startBackend, told } from './fixture.ts'

const fast: Partial<HealthConfig> = { intervalMs: 10, fastIntervalMs: 10, downIntervalMs: 10, jitter: 0.5 }
const greeting = { type: 'send-expect', steps: [{ expect: Buffer.from('ok') }] } as const

/** A checker that remembers what it told: `a up`, `b down: connect: connection refused`. */
function startChecker(t: TestContext, options?: CheckerOptions) {
  const changes: string[] = []
  const results: string[] = []
  const checker = new Checker(
    {
      onChange: (key, isUp, result) => changes.push(`${key} ${isUp ? 'up' : `down: ${told(result)}`}`),
      onResult: (key, result) => results.push(`${key} ${told(result)}`),
    },
    options,
  )
  atEnd(t, () => checker.close())
  return { checker, changes, results }
}

function target(key: string, address: SocketAddress, changes: Partial<HealthConfig> = {}): CheckTarget {
  return { key, address, config: makeHealth({ ...fast, ...changes }) }
}

/** A backend that says `ok` or `no`, or nothing, as `mood` is when a connection comes, and counts them. */
async function startMoody(t: TestContext) {
  const backend = { mood: 'ok' as 'ok' | 'no' | '', connections: 0, open: 0 }
  const address = await startBackend(t, (socket: Socket) => {
    backend.connections++
    backend.open++
    socket.once('close', () => backend.open--)
    socket.resume().write(backend.mood)
  })
  return { backend, address }
}

test('Checker.setTargets() checks a backend again and again, and tells when it goes down and up', async (t) => {
  const { backend, address } = await startMoody(t)
  const { checker, changes, results } = startChecker(t)
  checker.setTargets([target('a', address, greeting)])
  assert.deepEqual(checker.state('a'), { state: 'unknown', against: 0, isUp: true, lastResult: null })
  await waitUntil('a is checked', () => results.length >= 3)
  assert.equal(checker.state('a')?.state, 'up')
  backend.mood = 'no'
  await waitUntil('a is down', () => checker.state('a')?.isUp === false)
  backend.mood = 'ok'
  await waitUntil('a is up', () => checker.state('a')?.isUp === true)
  assert.deepEqual(changes, ['a down: expect 1: expected "ok", got "no"', 'a up'])
  // Three failures took it down, two good checks brought it back.
  assert.equal(results.lastIndexOf('a ok') - results.lastIndexOf('a expect 1: expected "ok", got "no"'), 2)
})

test('Checker lets the first check take a backend down', async (t) => {
  const { checker, changes, results } = startChecker(t)
  checker.setTargets([target('a', loopback(await freePort()))])
  await waitUntil('a is down', () => changes.length === 1)
  assert.deepEqual(changes, ['a down: connect: connection refused'])
  assert.equal(results.length, 1)
})

test('Checker.setTargets() keeps the progress of a key that stays, though its configuration is another', async (t) => {
  const { backend, address } = await startMoody(t)
  const { checker, changes, results } = startChecker(t)
  const hour = 3_600_000
  checker.setTargets([target('a', address, greeting)])
  await waitUntil('a is up', () => checker.state('a')?.state === 'up')
  backend.mood = 'no'
  checker.setTargets([target('a', address, { ...greeting, fall: 3, fastIntervalMs: hour })])
  await waitUntil('a failed once', () => checker.state('a')?.against === 1)
  const count = results.length
  checker.setTargets([target('a', address, { ...greeting, fall: 2, downIntervalMs: hour })])
  assert.equal(checker.state('a')?.against, 1)
  await waitUntil('a failed again', () => changes.length === 1)
  assert.equal(results.length, count + 1)
})

test('Checker.setTargets() leaves alone what is as it was', async (t) => {
  const { backend, address } = await startMoody(t)
  const { checker, results } = startChecker(t)
  const make = () => target('a', address, { ...greeting, steps: [{ expect: Buffer.from('ok') }], intervalMs: 60_000 })
  checker.setTargets([make()])
  await waitUntil('a is checked', () => results.length === 1)
  checker.setTargets([make()])
  checker.setTargets([make(), target('b', address)])
  await waitUntil('b is checked', () => results.length >= 2)
  assert.equal(results.filter((each) => each.startsWith('a')).length, 1)
  assert.equal(backend.mood, 'ok')
})

test('Checker.setTargets() calls off the checks of targets that are gone, and forgets them', async (t) => {
  const { backend, address } = await startMoody(t)
  backend.mood = ''
  const { checker, results } = startChecker(t)
  checker.setTargets([target('a', address, { ...greeting, timeoutMs: 60_000 })])
  await waitUntil('a is being checked', () => backend.open === 1)
  checker.setTargets([])
  await waitUntil('the check is called off', () => backend.open === 0)
  assert.equal(checker.state('a'), undefined)
  assert.deepEqual(results, [])
})

test('Checker.close() calls off every check and tells nothing after it', async (t) => {
  const { backend, address } = await startMoody(t)
  backend.mood = ''
  const { checker, results } = startChecker(t)
  checker.setTargets([target('a', address, greeting), target('b', address, greeting)])
  await waitUntil('both are being checked', () => backend.open === 2)
  checker.close()
  await waitUntil('the checks are called off', () => backend.open === 0)
  assert.deepEqual(results, [])
  assert.equal(backend.connections, 2)
})

test('Checker runs no more than maxProbes at once', async (t) => {
  const { backend, address } = await startMoody(t)
  backend.mood = ''
  const { checker } = startChecker(t, { maxProbes: 3 })
  checker.setTargets([...'abcdefg'].map((key) => target(key, address, { ...greeting, timeoutMs: 60_000 })))
  await waitUntil('three are being checked', () => backend.open === 3)
  // Connections are accepted in their order: had there been a fourth check, it would have come before this.
  assert.equal(told(await probe(address, makeHealth())), 'ok')
  await waitUntil('the probe is accepted', () => backend.connections >= 4)
  assert.equal(backend.connections, 4)
})

test('Checker never has two checks of one backend', async (t) => {
  const { backend, address } = await startMoody(t)
  backend.mood = ''
  const { checker, results } = startChecker(t)
  const ready = await startBackend(t, () => {})
  checker.setTargets([target('a', address, { ...greeting, timeoutMs: 60_000 }), target('b', ready)])
  await waitUntil('b is checked ten times', () => results.length >= 10)
  assert.equal(backend.connections, 1)
})

test('Checker goes on with those that wait when a check is called off', async (t) => {
  const { backend, address } = await startMoody(t)
  backend.mood = ''
  const { checker, results } = startChecker(t, { maxProbes: 1 })
  const slow = { ...greeting, timeoutMs: 60_000 }
  const ready = await startBackend(t, () => {})
  checker.setTargets([target('a', address, slow), target('b', ready)])
  await waitUntil('a is being checked', () => backend.open === 1)
  checker.setTargets([target('b', ready)])
  await waitUntil('b is checked', () => results.length > 0)
  assert.equal(results[0], 'b ok')
})

test('Checker.setTargets() spreads the first checks of many', async (t) => {
  const { backend, address } = await startMoody(t)
  const { checker } = startChecker(t)
  const keys = Array.from({ length: 100 }, (_, index) => `${index}`)
  checker.setTargets(keys.map((key) => target(key, address, { intervalMs: 3_600_000 })))
  await waitUntil('the first is checked', () => backend.connections > 0)
  // Had all been checked at once, they would have been accepted before this.
  assert.equal(told(await probe(address, makeHealth(greeting))), 'ok')
  // The spread is ten seconds, however long the interval: one check in a tenth of a second.
  assert.ok(backend.connections < 50)
})

test('Checker may be closed, and told other targets, by those whom it tells', async (t) => {
  const { address } = await startMoody(t)
  const told: string[] = []
  const refused = loopback(await freePort())
  const checker: Checker = new Checker({
    onResult: (key) => {
      told.push(`${key} result`)
      if (key === 'a') checker.setTargets([target('b', refused)])
    },
    onChange: (key) => {
      told.push(`${key} change`)
      checker.close()
    },
  })
  atEnd(t, () => checker.close())
  checker.setTargets([target('a', refused), target('c', address, { intervalMs: 60_000 })])
  await waitUntil('b is down', () => told.includes('b change'))
  assert.deepEqual(
    told.filter((each) => !each.startsWith('c')),
    ['a result', 'b result', 'b change'],
  )
})

test('Checker takes no backend down because this process has no descriptor left', needs('prlimit'), async (t) => {
  const said = await runScript(
    t,
    `
import { openSync } from 'node:fs'
import { Checker } from '#src/health/checker.js'
const checker = new Checker({
  onChange: () => console.log('changed'),
  onResult: (key, result) => {
    console.log(key, result.step, result.reason, checker.state(key).state)
    process.exit()
  },
})
try {
  for (;;) openSync('/dev/null')
} catch {
  checker.setTargets([{ key: 'a', address: ${JSON.stringify(loopback(1))}, config: ${JSON.stringify(makeHealth())} }])
}
`,
    { prefix: ['prlimit', '--nofile=64'] },
  )
  assert.equal(said.trim(), 'a connect no free descriptor in this process unknown')
})
