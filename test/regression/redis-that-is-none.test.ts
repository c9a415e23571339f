import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { spawnChild } from '../helpers/child-process.ts'
import { atEnd } from '../helpers/cleanup.ts'
import { freeListenerPort } from '../helpers/free-listener-port.ts'
import { type Answer, HostileRedis, resp } from '../helpers/hostile-redis.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { waitUntil } from '../helpers/wait-until.ts'

const program = fileURLToPath(import.meta.resolve('#src/main.js'))

// The client library trusts the shape of what Redis says. An answer to PSUBSCRIBE that was a number, a message without
// a channel, or a push of RESP3 that nobody had asked for made it throw in a tick of its own, where nobody catches: the
// load balancer and `mcs-lb register` ended, for all their clients, because of one reply.
const ordinary: Answer = ([name]) => (name === 'scan' ? resp(['0', []]) : '+OK\r\n')
const subscribed = resp(['psubscribe', 'x', 1])
const hostile: Readonly<Record<string, Answer>> = {
  'a number for a subscription': (words) => (words[0] === 'psubscribe' ? ':1\r\n' : ordinary(words)),
  'nothing for a subscription': (words) => (words[0] === 'psubscribe' ? '$-1\r\n' : ordinary(words)),
  'a message of nothing': (words) =>
    words[0] === 'psubscribe' ? `${subscribed}*4\r\n$8\r\npmessage\r\n$-1\r\n$-1\r\n$-1\r\n` : ordinary(words),
  'a push that nobody asked for': () => '>1\r\n:1\r\n>1\r\n$-1\r\n',
  'more answers than questions': (words) => `${ordinary(words)}$-1\r\n$-1\r\n`,
}

for (const [name, answer] of Object.entries(hostile)) {
  test(`mcs-lb run goes on when a Redis answers with ${name}`, async (t) => {
    const redis = await HostileRedis.start(t, answer)
    const lb = await LoadBalancerProcess.start(t, await configOf(redis))
    await waitUntil('both have connected anew', () => redis.connections >= 6)
    assert.equal((await lb.status()).state, 'serving')
    assert.doesNotMatch(lb.stderr, /A fault in the control plane/)
  })
}

test('mcs-lb run says why a Redis that is none has lost it the source', async (t) => {
  const redis = await HostileRedis.start(t, () => '>1\r\n$-1\r\n')
  const lb = await LoadBalancerProcess.start(t, await configOf(redis))
  await waitUntil('it says so', () => /lost its source.*does not speak as Redis does/.test(lb.stderr))
})

test('mcs-lb register goes on when a Redis pushes what nobody asked for', async (t) => {
  let isHostile = true
  const redis = await HostileRedis.start(t, () => (isHostile ? '>1\r\n$-1\r\n' : '+OK\r\n'))
  const said = runRegister(t, ['--redis', redis.url, '--address', '10.0.0.1:9100', '--interval', '100ms'])
  await waitUntil('it has come back', () => redis.connections >= 3)
  assert.match(said(), /not registered, trying again: .*does not speak as Redis does/)
  isHostile = false
  await waitUntil('it is registered', () => said().endsWith('\nregistered 10.0.0.1:9100\n'))
})

async function configOf(redis: HostileRedis): Promise<string> {
  return `
listeners: { edge: { bind: "127.0.0.1:${await freeListenerPort()}", upstream: chat } }
upstreams:
  chat:
    servers: [{ address: "127.0.0.1:9" }]
    sticky: { persist: { redis: { url: "${redis.url}" }, key: sticky } }
    discovery: { type: redis-keys, redis: { url: "${redis.url}" }, interval: 100ms }
`
}

function runRegister(t: TestContext, args: readonly string[]): () => string {
  const child = spawnChild(process.execPath, [program, 'register', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  }
  const ended = new Promise((resolve) => child.once('close', resolve))
  atEnd(t, async () => {
    child.kill('SIGKILL')
    await ended
  })
  return () => said
}
