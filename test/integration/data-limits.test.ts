import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { cpuTimeMs } from '../helpers/cpu-time.ts'
import { leaveDescriptors } from '../helpers/descriptor-limit.ts'
import { harshPrefix, patience } from '../helpers/harsh.ts'
import { needs } from '../helpers/peers.ts'
import { openDescriptors } from '../helpers/process-usage.ts'
import { type Relay, startRelay } from '../helpers/relay-setup.ts'
import { echo, type StreamPeer } from '../helpers/stream-peer.ts'
import { waitUntil } from '../helpers/wait-until.ts'

const LIMIT = 3
const QUIET = 'reload: { watch: false }'

for (const workers of [1, 2]) {
  test(`limits.connections holds a client back until a place is free, with ${workers} worker(s)`, async (t) => {
    const relay = await startRelay(t, {
      serve: echo,
      top: `workers: ${workers}\nlimits: { connections: ${LIMIT} }`,
    })
    const served = await Promise.all(Array.from({ length: LIMIT }, () => relay.connect()))
    for (const client of served) await greet(client)
    const waiting = await Promise.all(Array.from({ length: LIMIT }, () => relay.connect()))
    for (const client of waiting) await client.say('hello')
    await checkHeldBack(relay, served, waiting)
    await relay.lb.logged(/warn {2}limits\.connections is reached, so clients wait.* connections=3/)
    for (const [n, client] of served.entries()) {
      await leave(client)
      await waitUntil(`${n + 1} of those who wait are served`, () => countServed(waiting) === n + 1, 5000 * patience)
    }
    for (const client of waiting) {
      await client.hears('hello')
      await leave(client)
    }
    const { connections } = await relay.lb.status()
    assert.deepEqual([connections.total, connections.limit], [2 * LIMIT, LIMIT])
  })
}

test('limits.connections is never exceeded while many clients come and go', async (t) => {
  const relay = await startRelay(t, { serve: echo, top: `workers: 2\nlimits: { connections: ${LIMIT} }` })
  let left = 40
  const visits = Array.from({ length: left }, async () => {
    const client = await relay.connect()
    for (let n = 1; n <= 10; n++) {
      await client.say('hello')
      await client.hears('hello'.repeat(n))
    }
    await leave(client)
    left--
  })
  let most = 0
  while (left > 0) most = Math.max(most, (await relay.lb.status()).connections.active)
  await Promise.all(visits)
  assert.ok(most > 0 && most <= LIMIT, `${most} were open at once`)
  assert.equal((await relay.lb.status()).connections.total, 40)
})

test(
  'Without descriptors accepting stops, connections go on, and closing some lets others in',
  needs('prlimit'),
  async (t) => {
    const relay = await startRelay(t, { serve: echo, top: QUIET })
    const before = await relay.connect()
    await greet(before)
    await leaveDescriptors(relay.lb.pid, 4)
    const served = [await relay.connect(), await relay.connect()]
    for (const client of served) await greet(client)
    const waiting = [await relay.connect(), await relay.connect(), await relay.connect()]
    for (const client of waiting) await client.say('hello')
    await checkHeldBack(relay, [before, ...served], waiting)
    await relay.lb.logged(/warn {2}No file descriptor is left, so clients wait/)
    for (const [n, client] of [before, ...served].entries()) {
      await leave(client)
      await waitUntil(`${n + 1} of those who wait are served`, () => countServed(waiting) === n + 1, 5000 * patience)
    }
    for (const client of waiting) await client.hears('hello')
    assert.doesNotMatch(relay.lb.stderr, /crash/i)
  },
)

test(
  'Without descriptors a worker that waits for some costs next to no CPU time, and sees a raised limit',
  needs('prlimit'),
  async (t) => {
    const relay = await startRelay(t, { serve: echo, top: `workers: 2\n${QUIET}` })
    const restore = await leaveDescriptors(relay.lb.pid, 0)
    const waiting = await relay.connect()
    await waiting.say('hello')
    const from = cpuTimeMs(relay.lb.pid)
    await pause(1000)
    const used = cpuTimeMs(relay.lb.pid) - from
    assert.ok(used < 300 * patience, `it used ${used} ms of CPU time in a second`)
    assert.equal(waiting.ending, 'open')
    restore()
    await waiting.hears('hello')
  },
)

test('A process that may open 100 descriptors serves any number of clients, one after the other', async (t) => {
  const prefix = [...harshPrefix(), 'sh', '-c', 'ulimit -n 100 && exec "$@"', 'sh']
  const relay = await startRelay(t, { serve: echo, top: QUIET, prefix })
  const { descriptors } = await relay.lb.status()
  assert.equal(descriptors.limit, 100)
  const visits = Array.from({ length: 120 }, async () => {
    const client = await relay.connect()
    await greet(client)
    await leave(client)
  })
  await Promise.all(visits)
  const lines = await relay.lb.accessLog(120)
  assert.deepEqual(new Set(lines.map(({ cause }) => cause)), new Set(['client-closed']))
  assert.ok(openDescriptors(relay.lb.pid).length < 100)
})

/** That those who wait are neither served nor turned away, while those who are served talk on. */
async function checkHeldBack(relay: Relay, served: readonly StreamPeer[], waiting: readonly StreamPeer[]) {
  for (let n = 0; n < 50; n++) {
    for (const client of served) {
      const heard = client.heardBytes
      await client.say('x')
      await client.waitFor('an echo', () => client.heardBytes === heard + 1)
    }
  }
  assert.equal(countServed(waiting), 0)
  assert.equal(relay.backend.open, served.length)
  for (const client of waiting) assert.equal(client.ending, 'open')
}

function countServed(clients: readonly StreamPeer[]): number {
  return clients.filter(({ heard }) => heard !== '').length
}

async function greet(client: StreamPeer): Promise<void> {
  await client.say('hello')
  await client.hears('hello')
}

async function leave(client: StreamPeer): Promise<void> {
  client.finish()
  assert.equal(await client.ends(), 'end')
}
