import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { freeListenerPort } from '../helpers/free-listener-port.ts'
import { freePort } from '../helpers/free-port.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { needs } from '../helpers/peers.ts'
import { RedisServer } from '../helpers/redis-server.ts'
import { waitUntil } from '../helpers/wait-until.ts'

test('What the client of Redis would print is a line of the log', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  const lb = await LoadBalancerProcess.start(
    t,
    `
log: { format: json }
listeners: { edge: { bind: "127.0.0.1:${await freeListenerPort()}", upstream: chat } }
upstreams:
  chat: { discovery: { type: redis-keys, redis: { url: "redis://:needless@127.0.0.1:${redis.port}" } } }
`,
  )
  await waitUntil('it says so', () => lb.stderr.includes('does not require a password'))
  const lines = lb.stderr.trimEnd().split('\n')
  const messages = lines.map((line) => (JSON.parse(line) as { message: string }).message)
  assert.equal(messages.filter((message) => message.includes('does not require a password')).length, 1)
})

test(
  'The log says which permission the role of a master needs that Sentinel names',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const file = join(redis.directory, 'sentinel.conf')
    writeFileSync(file, `sentinel monitor chat 127.0.0.1 ${redis.port} 1\n`)
    const sentinel = await RedisServer.start(t, { file, args: ['--sentinel'] })
    const rules = ['on', '>pass', '~mcs:node:*', '+scan', '+pttl', '+getrange']
    await redis.client.call('ACL', 'SETUSER', 'lb', ...rules)
    const nodes = `{ master: chat, nodes: ["127.0.0.1:${sentinel.port}"] }`
    const lb = await LoadBalancerProcess.start(
      t,
      `
listeners: { edge: { bind: "127.0.0.1:${await freeListenerPort()}", upstream: chat } }
upstreams:
  chat: { discovery: { type: redis-keys, redis: { url: "redis://lb:pass@ignored", sentinel: ${nodes} } } }
`,
    )
    const said =
      /Cannot see whether the Redis that Sentinel names is the master: NOPERM .*'info' command; allow its user \+info/
    await waitUntil('it says so', () => said.test(lb.stderr))
    assert.doesNotMatch(lb.stderr, /ready ?check/i)
  },
)

test('The log says why sticky entries cannot be kept in Redis', async (t) => {
  const port = await freePort()
  const lb = await LoadBalancerProcess.start(
    t,
    `
listeners: { edge: { bind: "127.0.0.1:${await freeListenerPort()}", upstream: chat } }
upstreams:
  chat:
    servers: [{ address: "127.0.0.1:9" }]
    sticky: { persist: { redis: { url: "redis://:secret@127.0.0.1:${port}" }, key: kept } }
`,
  )
  await waitUntil('it says so', () => lb.stderr.includes('Sticky entries are not saved for now'))
  assert.match(
    lb.stderr,
    /Cannot read the sticky entries in the Redis hash \\"kept\\": connect ECONNREFUSED 127\.0\.0\.1/,
  )
  assert.doesNotMatch(lb.stderr, /enableOfflineQueue|secret/)
})
