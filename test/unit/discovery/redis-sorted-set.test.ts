import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { DiscoveryConfig } from '#src/model/config.js'
import { discoveryBase, type Followed, follow, redisConfig } from '../../helpers/discovery-maker.ts'
import { needs } from '../../helpers/peers.ts'
import { RedisServer } from '../../helpers/redis-server.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

type SortedSetConfig = Extract<DiscoveryConfig, { type: 'redis-sorted-set' }>

function followSet(t: TestContext, redis: RedisServer, changes: Partial<SortedSetConfig> = {}): Followed {
  const set = { redis: redisConfig(redis.url), key: 'mcs:node', score: 'heartbeat', maxAgeMs: 10_000 } as const
  return follow(t, { ...discoveryBase, type: 'redis-sorted-set', ...set, ...changes })
}

/** Unix time of Redis in milliseconds. */
async function clockOf(redis: RedisServer): Promise<number> {
  const [seconds, microseconds] = await redis.client.time()
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
}

async function shows(followed: Followed, ...wanted: readonly string[]): Promise<void> {
  await waitUntil(`members are ${wanted}`, () => followed.addresses().join() === wanted.join())
}

test(
  'startDiscovery() tells seconds from milliseconds in the heartbeats of a sorted set',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const now = await clockOf(redis)
    await redis.client.zadd(
      'mcs:node',
      now,
      '10.0.0.1:9100',
      now / 1000,
      '10.0.0.2:9100',
      now / 1000 - 60,
      '10.0.0.3:9100',
    )
    await redis.client.zadd('mcs:node', now - 60_000, '10.0.0.4:9100', now, '{"address":"10.0.0.5:9100","weight":6}')
    const followed = followSet(t, redis)
    await shows(followed, '10.0.0.1:9100', '10.0.0.2:9100', '10.0.0.5:9100')
    assert.equal(followed.discovery.members[2]?.weight, 6)
  },
)

test(
  'startDiscovery() drops members of a sorted set at their deadlines, and asks for those that beat since',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const now = await clockOf(redis)
    const heartbeats = [
      now,
      '10.0.0.1:9100',
      now - 9300,
      '10.0.0.2:9100',
      now - 9400,
      '10.0.0.3:9100',
      now - 9200,
      '10.0.0.4:9100',
    ]
    await redis.client.zadd('mcs:node', ...heartbeats)
    const followed = followSet(t, redis, { intervalMs: 3_600_000 })
    await shows(followed, '10.0.0.1:9100', '10.0.0.2:9100', '10.0.0.3:9100', '10.0.0.4:9100')
    await redis.client.zadd('mcs:node', await clockOf(redis), '10.0.0.3:9100')
    await shows(followed, '10.0.0.1:9100', '10.0.0.3:9100')
  },
)

test(
  'startDiscovery() refuses scores that are too far in the future or no time, and takes a little ahead for now',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const now = await clockOf(redis)
    await redis.client.zadd(
      'mcs:node',
      now + 5000,
      '10.0.0.1:9100',
      now + 3_600_000,
      '10.0.0.2:9100',
      -1,
      '10.0.0.3:9100',
    )
    await redis.client.zadd('mcs:node', '+inf', '10.0.0.4:9100', now * 1000, '10.0.0.5:9100', now, 'evil.example:1')
    const followed = followSet(t, redis)
    await shows(followed, '10.0.0.1:9100')
    assert.deepEqual(followed.discovery.status().refused, { 'bad-address': 1, 'bad-score': 2, 'future-score': 2 })
  },
)

test(
  'startDiscovery() takes scores for the end of a member, or for nothing, as it is told',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const now = await clockOf(redis)
    await redis.client.zadd('mcs:node', now + 3_600_000, '10.0.0.1:9100', now - 1, '10.0.0.2:9100', 7, '10.0.0.3:9100')
    await shows(followSet(t, redis, { score: 'expiry' }), '10.0.0.1:9100')
    await shows(followSet(t, redis, { score: 'ignored' }), '10.0.0.1:9100', '10.0.0.2:9100', '10.0.0.3:9100')
  },
)

test(
  'startDiscovery() holds back when many members vanish from a sorted set before their deadlines',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const all = [1, 2, 3, 4].map((host) => `10.0.0.${host}:9100`)
    const now = await clockOf(redis)
    for (const address of all) await redis.client.zadd('mcs:node', now, address)
    const followed = followSet(t, redis, { holdBackMs: 400 })
    await shows(followed, ...all)
    await redis.client.zrem('mcs:node', ...all.slice(1))
    await waitUntil('it is held back', () => followed.discovery.status().heldBack?.members === 3)
    await shows(followed, all[0]!)
    assert.deepEqual(
      followed.events.filter(({ message }) => message.includes('holds')).map(({ level }) => level),
      ['warn', 'info'],
    )
  },
)

test('startDiscovery() reads a sorted set of thousands, and keeps to its limit', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  const now = await clockOf(redis)
  const pairs = Array.from({ length: 3000 }, (_, index) => [now, `10.0.${index >> 8}.${index & 255}:9100`]).flat()
  await redis.client.zadd('mcs:node', ...pairs)
  const followed = followSet(t, redis, { maxMembers: 2000 })
  await waitUntil('it has 2,000 members', () => followed.addresses().length === 2000)
  assert.equal(followed.discovery.status().refused['too-many'], 1000)
})

test('startDiscovery() keeps its members when the key holds something else', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  await redis.client.zadd('mcs:node', await clockOf(redis), '10.0.0.1:9100')
  const followed = followSet(t, redis)
  await shows(followed, '10.0.0.1:9100')
  await redis.client.set('mcs:node', 'text')
  await waitUntil('the source is lost', () => followed.discovery.status().state === 'lost')
  assert.match(followed.discovery.status().reason, /WRONGTYPE/)
  assert.deepEqual(followed.addresses(), ['10.0.0.1:9100'])
})

test(
  'startDiscovery() says that there is no set, or that the key is of another type',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const followed = followSet(t, redis)
    const reasonBecomes = (wanted: RegExp) =>
      waitUntil(`${wanted}`, () => wanted.test(followed.discovery.status().reason))
    await reasonBecomes(/^there is no sorted set "mcs:node"$/)
    await redis.client.set('mcs:node', 'x')
    await reasonBecomes(/^WRONGTYPE .*; it is no sorted set; name one in key, or write type: redis-keys$/)
  },
)

// Only the text that the last read had shown was asked for, and nothing where the last read had lacked the member: a
// backend that came back with another weight left at its old deadline though it beat all the while, and so did those
// that were held back.
test(
  'startDiscovery() keeps a member of a sorted set that has another text at its deadline, or has one again',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const now = await clockOf(redis)
    const all = [1, 2, 3, 4].map((host) => `10.0.0.${host}:9100`)
    await redis.client.zadd('mcs:node', now + 60_000, all[0]!, ...all.slice(1).flatMap((text) => [now + 1500, text]))
    const followed = followSet(t, redis, { score: 'expiry', intervalMs: 1000 })
    await shows(followed, ...all)
    await redis.client.zrem('mcs:node', ...all.slice(1))
    await waitUntil('three are held back', () => followed.discovery.status().heldBack?.members === 3)
    await redis.client.zadd('mcs:node', now + 60_000, all[1]!, now + 60_000, `{"address":"${all[2]}","weight":7}`)
    await shows(followed, ...all.slice(0, 3))
    await waitUntil('its weight is read', () => followed.discovery.members[2]?.weight === 7)
    assert.ok(followed.lists.every((list) => list.length >= 3))
  },
)
