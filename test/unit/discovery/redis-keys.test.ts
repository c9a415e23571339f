import assert from 'node:assert/strict'
import { test } from 'node:test'
import { escapePattern } from '#src/discovery/redis-keys.js'
import type { DiscoveryConfig, RedisConfig } from '#src/model/config.js'
import { discoveryBase, type Followed, follow, redisConfig } from '../../helpers/discovery-maker.ts'
import { needs } from '../../helpers/peers.ts'
import { RedisServer } from '../../helpers/redis-server.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

type KeysConfig = Extract<DiscoveryConfig, { type: 'redis-keys' }>

function configOf(redis: RedisConfig, changes: Partial<KeysConfig> = {}): KeysConfig {
  return { ...discoveryBase, type: 'redis-keys', redis, prefix: 'mcs:node:', ...changes }
}

async function beat(redis: RedisServer, hosts: readonly number[], lifeMs = 60_000): Promise<void> {
  for (const host of hosts) await redis.client.set(`mcs:node:10.0.0.${host}:9100`, 'alive', 'PX', lifeMs)
}

function addresses(...hosts: readonly number[]): string[] {
  return hosts.map((host) => `10.0.0.${host}:9100`)
}

async function shows(followed: Followed, ...hosts: readonly number[]): Promise<void> {
  const wanted = addresses(...hosts).join()
  await waitUntil(`members are ${wanted}`, () => followed.addresses().join() === wanted)
}

test('startDiscovery() follows keys that come and that are deleted', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  await beat(redis, [1, 2, 3])
  const followed = follow(t, configOf(redisConfig(redis.url)))
  await shows(followed, 1, 2, 3)
  await beat(redis, [4])
  await shows(followed, 1, 2, 3, 4)
  await redis.client.del('mcs:node:10.0.0.1:9100')
  await shows(followed, 2, 3, 4)
  assert.equal(followed.discovery.status().state, 'good')
})

test(
  'startDiscovery() drops members whose keys expire, however many and between two reads',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    await beat(redis, [1])
    await beat(redis, [2, 3, 4], 400)
    const followed = follow(t, configOf(redisConfig(redis.url), { intervalMs: 3_600_000 }))
    await shows(followed, 1, 2, 3, 4)
    await shows(followed, 1)
    assert.equal(followed.discovery.status().heldBack, null)
  },
)

test('startDiscovery() keeps a member whose key was renewed since it was read', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  await beat(redis, [1])
  await beat(redis, [2], 300)
  await beat(redis, [3], 600)
  const followed = follow(t, configOf(redisConfig(redis.url), { intervalMs: 3_600_000 }))
  await shows(followed, 1, 2, 3)
  await beat(redis, [2])
  // The third goes after the second would have gone.
  await shows(followed, 1, 2)
  assert.deepEqual(followed.lists, [addresses(1, 2, 3), addresses(1, 2)])
})

test(
  'startDiscovery() keeps everybody through FLUSHALL, and most while the registry fills again',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    await beat(redis, [1, 2, 3, 4], 1000)
    const followed = follow(t, configOf(redisConfig(redis.url)))
    await shows(followed, 1, 2, 3, 4)
    await redis.client.flushall()
    await waitUntil('the source is empty', () => followed.discovery.status().state === 'empty')
    await beat(redis, [4])
    await waitUntil('the loss of three is held back', () => followed.discovery.status().heldBack?.members === 3)
    await beat(redis, [1, 2, 3])
    await waitUntil('nothing is held back', () => followed.discovery.status().heldBack === null)
    assert.deepEqual(followed.lists, [addresses(1, 2, 3, 4)])
  },
)

test(
  'startDiscovery() keeps everybody while Redis is dead, says so once, and goes on when it is back',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    await beat(redis, [1, 2], 300)
    const followed = follow(t, configOf(redisConfig(redis.url)))
    await shows(followed, 1, 2)
    await redis.kill()
    await waitUntil('the source is lost', () => followed.discovery.status().state === 'lost')
    assert.match(followed.discovery.status().reason, /ECONNREFUSED|closed|reset/i)
    await redis.start()
    await beat(redis, [2, 3])
    // The first may only be late.
    await shows(followed, 1, 2, 3)
    assert.equal(followed.discovery.status().heldBack?.members, 1)
    const told = followed.events.filter(({ message }) => message.includes('lost its source'))
    assert.equal(told.length, 1)
  },
)

test(
  'startDiscovery() keeps everybody while Redis hangs, and goes on when it answers again',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    await beat(redis, [1, 2], 500)
    const followed = follow(t, configOf(redisConfig(redis.url)))
    await shows(followed, 1, 2)
    const connections = async () => String(await redis.client.client('LIST')).match(/\bid=\d+/g) ?? []
    const before = await connections()
    await redis.freeze()
    await waitUntil('the source is lost', () => followed.discovery.status().state === 'lost')
    assert.deepEqual(followed.addresses(), addresses(1, 2))
    redis.resume()
    await beat(redis, [2, 3])
    await shows(followed, 1, 2, 3)
    // Questions without an answer would pile up on the connection that hangs: it was given up.
    assert.notDeepEqual(await connections(), before)
  },
)

test(
  'startDiscovery() says what a user of Redis needs, and that no key has the prefix',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    await redis.client.call('ACL', 'SETUSER', 'lb', 'on', '>pass', '~other:*', '+@all')
    await beat(redis, [1])
    const url = redis.url.replace('//', '//lb:pass@')
    const followed = follow(t, configOf(redisConfig(url)))
    const reasonOf = (one: Followed) => one.discovery.status().reason
    await waitUntil('it is lost', () => followed.discovery.status().state === 'lost')
    assert.match(reasonOf(followed), /^NOPERM .*; its user needs \+scan \+pttl \+getrange ~mcs:node:\*$/)
    await redis.client.call('ACL', 'SETUSER', 'lb', '-scan')
    await waitUntil('it says so', () => /^NOPERM .*'scan' command; its user needs \+scan /.test(reasonOf(followed)))
    const mistyped = follow(t, configOf(redisConfig(redis.url), { prefix: 'mcs:nodes:' }))
    await waitUntil('it says why', () => reasonOf(mistyped) === 'no key begins with "mcs:nodes:"')
  },
)

test(
  'startDiscovery() refuses what a poisoned registry holds, counts it, and tells it once',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    await beat(redis, [1])
    await redis.client.set('mcs:node:10.0.0.2:9100', '{"weight":9}')
    await redis.client.set('mcs:node:10.0.0.3:9100', '{"weight":-1}')
    await redis.client.set('mcs:node:10.0.0.4:9100', `{"x":"${'x'.repeat(5000)}"}`)
    await redis.client.hset('mcs:node:10.0.0.5:9100', 'a', 'b')
    for (const name of [
      'evil.example:80',
      '\u0000\u001b[2J',
      '{"address":"10.0.0.9:1"}',
      '192.168.0.1:9100',
      '10.0.0.6:22',
    ]) {
      await redis.client.set(`mcs:node:${name}`, '')
    }
    await redis.client.set('mcs:nodeX10.0.0.7:9100', '')
    const allow = { networks: ['10.0.0.0/8'], ports: [{ from: 9000, to: 9999 }] }
    const followed = follow(t, configOf(redisConfig(redis.url), { allow }))
    await shows(followed, 1, 2)
    assert.equal(followed.discovery.members[1]?.weight, 9)
    const refused = { 'bad-address': 3, 'bad-value': 2, network: 1, port: 1, 'wrong-type': 1 }
    assert.deepEqual(followed.discovery.status().refused, refused)
    await beat(redis, [8])
    await shows(followed, 1, 2, 8)
    assert.equal(followed.events.filter(({ message }) => message.includes('refuses')).length, 1)
  },
)

test(
  'startDiscovery() keeps its members when a registry is flooded, and counts those without a place',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    await beat(redis, [200, 201])
    const followed = follow(t, configOf(redisConfig(redis.url), { maxMembers: 4 }))
    await shows(followed, 200, 201)
    await beat(
      redis,
      Array.from({ length: 30 }, (_, index) => 100 + index),
    )
    await shows(followed, 100, 101, 200, 201)
    assert.equal(followed.discovery.status().refused['too-many'], 28)
  },
)

test(
  'startDiscovery() reads at once when a keyspace notification tells of a new key',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t, { args: ['--notify-keyspace-events', 'KA'] })
    await beat(redis, [1])
    const followed = follow(t, configOf(redisConfig(redis.url), { intervalMs: 3_600_000 }))
    await shows(followed, 1)
    await waitUntil('it listens', async () => Number(await redis.client.pubsub('NUMPAT')) === 1)
    await beat(redis, [2])
    await shows(followed, 1, 2)
    await redis.client.del('mcs:node:10.0.0.1:9100')
    await shows(followed, 2)
  },
)

test('startDiscovery() works with an ACL that allows a handful of commands', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  const rules = ['on', '>geheim', '~mcs:node:*', '+scan', '+pttl', '+getrange']
  await redis.client.call('ACL', 'SETUSER', 'lb', ...rules)
  await beat(redis, [1])
  const followed = follow(t, configOf(redisConfig(`redis://lb:geheim@127.0.0.1:${redis.port}/0`)))
  await shows(followed, 1)
})

test('startDiscovery() says that a password is wrong without saying the password', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t, { args: ['--requirepass', 'right'], client: { password: 'right' } })
  const wrong = 'wr%40ng-Secret'
  const followed = follow(t, configOf(redisConfig(`redis://:${wrong}@127.0.0.1:${redis.port}`)))
  await waitUntil('the source is lost', () => followed.discovery.status().state === 'lost')
  assert.match(followed.discovery.status().reason, /WRONGPASS|invalid/)
  const told = JSON.stringify([followed.discovery.status(), followed.events])
  for (const secret of [wrong, 'wr@ng-Secret']) assert.ok(!told.includes(secret), told)
  await redis.client.call('CONFIG', 'SET', 'requirepass', 'wr@ng-Secret')
  await beat(redis, [1])
  await shows(followed, 1)
})

test('escapePattern() makes a prefix match nothing else', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  const prefix = 'a*[b]?\\c^-:'
  await redis.client.set(`${prefix}10.0.0.1:9100`, '')
  await redis.client.set('aXbY\\c^-:10.0.0.2:9100', '')
  const [, keys] = await redis.client.scan('0', 'MATCH', `${escapePattern(prefix)}*`, 'COUNT', 100)
  assert.deepEqual(keys, [`${prefix}10.0.0.1:9100`])
})

test(
  'startDiscovery() gives up a Redis whose answers are longer than memory should hold',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    await beat(redis, [1])
    const followed = follow(t, configOf(redisConfig(redis.url)))
    await shows(followed, 1)
    await redis.client.set(`mcs:node:${'x'.repeat(48 * 1024 * 1024)}`, '')
    // Where the machine is slow, an answer of that length is late first.
    const isGivenUp = () => /it sent a string of more than 33554432 bytes/.test(followed.discovery.status().reason)
    await waitUntil('it is given up', isGivenUp, 30_000)
    assert.equal(followed.discovery.status().state, 'lost')
    assert.deepEqual(followed.addresses(), addresses(1))
    await redis.client.flushall()
    await beat(redis, [1, 2])
    await shows(followed, 1, 2)
  },
)

// Those of the other prefix served for the whole of holdBack, as if their loss might be a mistake.
test(
  'startDiscovery() keeps what an earlier process left no longer than the source takes to settle, where that read another source',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const stateDirectory = temporaryDirectory(t)
    await beat(redis, [1, 2, 3, 4])
    const first = follow(t, configOf(redisConfig(redis.url)), { stateDirectory })
    await shows(first, 1, 2, 3, 4)
    await first.discovery.close()
    await redis.client.flushall()
    await beat(redis, [5])
    await redis.client.set('green:10.0.0.6:9100', 'alive')
    const heldFor = async (prefix: string, count: number) => {
      const { discovery } = follow(t, configOf(redisConfig(redis.url), { prefix }), { stateDirectory })
      await waitUntil('those who are not there are held back', () => discovery.status().heldBack?.members === count)
      const { remainingMs } = discovery.status().heldBack!
      await discovery.close()
      return remainingMs
    }
    const asSame = await heldFor('mcs:node:', 4)
    assert.ok(asSame > 10_000, `${asSame} ms`)
    const asOther = await heldFor('green:', 5)
    assert.ok(asOther <= 10_000, `${asOther} ms`)
  },
)

// Who was held back had no key that could be asked for, and left at its old deadline as "gone already".
test(
  'startDiscovery() keeps a member that was held back and has its key again at its deadline',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    await beat(redis, [1])
    await beat(redis, [2, 3, 4], 1500)
    const followed = follow(t, configOf(redisConfig(redis.url), { intervalMs: 1000 }))
    await shows(followed, 1, 2, 3, 4)
    await redis.client.del(...addresses(2, 3, 4).map((address) => `mcs:node:${address}`))
    await waitUntil('three are held back', () => followed.discovery.status().heldBack?.members === 3)
    await beat(redis, [2, 3])
    await shows(followed, 1, 2, 3)
    await waitUntil('nobody is held back', () => followed.discovery.status().heldBack === null)
    assert.deepEqual(followed.lists, [addresses(1, 2, 3, 4), addresses(1, 2, 3)])
  },
)

// The key that SCAN showed last was the one that counted, and its end was that of the member.
test(
  'startDiscovery() takes the key that lives longest of those that spell one address',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const hosts = Array.from({ length: 8 }, (_, index) => index + 1)
    for (const host of hosts) {
      const spellings = [`[fd00::${host}]:9100`, `[fd00:0::${host}]:9100`, `[fd00:0:0::${host}]:9100`]
      for (const [index, spelling] of spellings.entries()) {
        if (index === host % 3) await redis.client.set(`mcs:node:${spelling}`, '{"weight":2}')
        else await redis.client.set(`mcs:node:${spelling}`, '{"weight":1}', 'PX', 400)
      }
    }
    await beat(redis, [1], 800)
    const followed = follow(t, configOf(redisConfig(redis.url), { intervalMs: 3_600_000 }))
    const wanted = hosts.map((host) => `[fd00::${host}]:9100`)
    await waitUntil('all are found', () => followed.addresses().length === 9)
    assert.deepEqual(followed.discovery.status().refused, { duplicate: 16 })
    const weights = followed.discovery.members.map(({ weight }) => weight)
    assert.deepEqual(weights, [1, ...wanted.map(() => 2)])
    await waitUntil('the others of them have ended', () => !followed.addresses().includes('10.0.0.1:9100'))
    assert.deepEqual(followed.addresses(), wanted)
  },
)
