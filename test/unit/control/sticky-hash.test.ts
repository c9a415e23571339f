import assert from 'node:assert/strict'
import test from 'node:test'
import { createRedisHash } from '#src/control/redis-hash.js'
import { createStickyHash, type StickyHashOptions } from '#src/control/sticky-hash.js'
import type { StickyStore } from '#src/control/sticky-store.js'
import { McsError } from '#src/model/errors.js'
import { needs } from '../../helpers/peers.ts'
import { RedisServer } from '../../helpers/redis-server.ts'
import { batchesOf, collect, record, recordingLog } from '../../helpers/sticky-setup.ts'

const key = 'mcs-lb:sticky'

async function setUp(t: test.TestContext, options: Partial<StickyHashOptions> = {}) {
  const redis = await RedisServer.start(t)
  const { log, messages } = recordingLog()
  const hash = createRedisHash(redis.client, key, { timeoutMs: 500 })
  const common = { name: 'Redis hash "mcs-lb:sticky"', maxFields: 10_000, log, wallClockMs: () => Date.now() }
  const store: StickyStore = createStickyHash(hash, { ...common, ...options })
  return { redis, store, messages, hash }
}

const sorted = (clients: readonly { client: string }[]) => clients.map(({ client }) => client).sort()

test(
  'createStickyHash().load() gives what save() was given, one field for each client, from a Redis',
  needs('redis-server'),
  async (t) => {
    const { store, redis } = await setUp(t)
    const records = Array.from({ length: 3000 }, (_, n) => record(`10.0.${n >> 8}.${n & 255}`, 'unix:/run/a b'))
    await store.save(batchesOf(records.slice(0, 1000), [], records.slice(1000)))
    assert.equal(await redis.client.hlen(key), 3000)
    assert.deepEqual(sorted(await collect(store.load())), sorted(records))
    const moved = record('10.0.0.1', '[2001:db8::1]:9100')
    await store.save(batchesOf([moved]))
    assert.equal(await redis.client.hlen(key), 3000)
    const all = await collect(store.load())
    assert.deepEqual(
      all.find(({ client }) => client === '10.0.0.1'),
      moved,
    )
    assert.equal(await redis.client.hget(key, 'chat 10.0.0.1'), `${moved.expiresAtMs} [2001:db8::1]:9100`)
  },
)

test(
  'createStickyHash().load() leaves out fields that are none, says so, and removes those whose time is over',
  needs('redis-server'),
  async (t) => {
    const { store, redis, messages } = await setUp(t)
    const end = Date.now() + 60_000
    const bad: Record<string, string> = {
      x: `${end} b`,
      'chat 10.0.0.999': `${end} b`,
      'chat 10.0.0.2': 'b',
      'chat 10.0.0.3': `${end}`,
      'chat 10.0.0.4': `-${end} b`,
      'chat 10.0.0.5': `${end}e5 b`,
      'chat 10.0.0.6': `${end} `,
      'chat 10.0.0.7': `99999999999999999 b`,
      ' 10.0.0.8': `${end} b`,
      'chat 10.0.0.9': `${end} ${'x'.repeat(100_000)}`,
      '\0\u00ff': '\u0001',
    }
    await redis.client.hset(key, { ...bad, 'chat 10.0.0.1': `${end} b`, 'chat 10.0.1.1': '1767225600000 b' })
    assert.deepEqual(sorted(await collect(store.load())), ['10.0.0.1'])
    assert.equal(messages.length, 1)
    assert.ok(messages[0]?.includes(`"fields":${Object.keys(bad).length}`), messages[0])
    assert.equal(await redis.client.hexists(key, 'chat 10.0.1.1'), 0)
  },
)

test(
  'createStickyHash().save() removes what is over from time to time, whoever wrote it',
  needs('redis-server'),
  async (t) => {
    let nowMs = Date.now()
    const { store, redis } = await setUp(t, { wallClockMs: () => nowMs })
    await collect(store.load())
    await store.save(batchesOf([record('10.0.0.1', 'b', nowMs + 60_000), record('10.0.0.2', 'b', nowMs + 7_200_000)]))
    await redis.client.hset(key, 'other 10.0.0.3', `${nowMs + 1000} c`)
    nowMs += 3_600_000
    await store.save(batchesOf())
    assert.deepEqual(await redis.client.hkeys(key), ['chat 10.0.0.2'])
  },
)

test(
  'createStickyHash().save() writes no more than its maximum and a batch, until fields are over',
  needs('redis-server'),
  async (t) => {
    let nowMs = Date.now()
    const { store, redis } = await setUp(t, { maxFields: 100, wallClockMs: () => nowMs })
    await collect(store.load())
    const batch = (n: number) => Array.from({ length: 60 }, (_, i) => record(`10.0.${n}.${i}`, 'b', nowMs + 30_000))
    await assert.rejects(
      store.save(batchesOf(batch(1), batch(2), batch(3))),
      /has 100 fields or more; entries are kept/,
    )
    assert.equal(await redis.client.hlen(key), 120)
    nowMs += 61_000
    await store.save(batchesOf(batch(3)))
    assert.equal(await redis.client.hlen(key), 60)
  },
)

test(
  'createStickyHash() throws MCS_SYSTEM within its deadline where Redis is gone, refuses, or is another type',
  needs('redis-server'),
  async (t) => {
    const { store, redis } = await setUp(t)
    const isSystemError = (error: unknown) =>
      error instanceof McsError && error.code === 'MCS_SYSTEM' && error.cause === undefined
    await redis.client.set(key, 'no hash')
    await assert.rejects(collect(store.load()), isSystemError)
    await assert.rejects(store.save(batchesOf([record('10.0.0.1')])), /WRONGTYPE/)
    await redis.client.del(key)
    await redis.client.config('SET', 'maxmemory', '1')
    await assert.rejects(store.save(batchesOf([record('10.0.0.1')])), /OOM/)
    await redis.client.config('SET', 'maxmemory', '0')
    await redis.kill()
    await assert.rejects(store.save(batchesOf([record('10.0.0.1')])), isSystemError)
    await assert.rejects(collect(store.load()), isSystemError)
    await redis.start()
    await store.save(batchesOf([record('10.0.0.1')]))
    assert.equal(await redis.client.hlen(key), 1)
  },
)

test(
  'createRedisHash() waits no longer than its deadline for a server that does not answer',
  needs('redis-server'),
  async (t) => {
    const { hash, redis } = await setUp(t)
    await redis.client.call('CLIENT', 'PAUSE', '60000', 'ALL')
    await assert.rejects(hash.size(), /no answer within 500 ms/)
    await assert.rejects(hash.readAll()[Symbol.asyncIterator]().next(), /no answer within 500 ms/)
  },
)
