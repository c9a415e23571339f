import assert from 'node:assert/strict'
import { test } from 'node:test'
import { placeOf } from '#src/discovery/source-place.js'
import type { RedisConfig } from '#src/model/config.js'
import { discoveryBase, redisConfig } from '../../helpers/discovery-maker.ts'

function keysAt(url: string, changes: Partial<RedisConfig> = {}): string {
  return placeOf({ ...discoveryBase, type: 'redis-keys', redis: redisConfig(url, changes), prefix: 'mcs:node:' })
}

test('placeOf() names the keys and the server of a Redis, without user and password', () => {
  assert.equal(keysAt('redis://10.0.0.9'), 'keys "mcs:node:*" at redis://10.0.0.9:6379')
  assert.equal(keysAt('rediss://user:geheim@[::1]:7000/3'), 'keys "mcs:node:*" at rediss://[::1]:7000/3')
  assert.equal(keysAt('geheim'), 'keys "mcs:node:*" at a Redis whose URL cannot be read')
  const nodes = [{ host: '10.0.0.1', port: 26_379 }]
  const sentinel = { master: 'chat', nodes, password: 'geheim' }
  const behind = 'the master "chat" of Sentinel 10.0.0.1:26379'
  assert.equal(keysAt('redis://:geheim@ignored', { sentinel }), `keys "mcs:node:*" at ${behind}`)
  assert.match(keysAt('redis://10.0.0.9', { cluster: nodes }), /at the cluster of redis:\/\/10\.0\.0\.9:6379$/)
})

test('placeOf() names the set, the records and their resolvers, or the file', () => {
  const redis = redisConfig('redis://h:1')
  const set = { ...discoveryBase, type: 'redis-sorted-set', redis, key: 'n', score: 'ignored', maxAgeMs: 1 } as const
  assert.equal(placeOf(set), 'sorted set "n" at redis://h:1')
  const dns = { ...discoveryBase, type: 'dns', host: 'chat.test', record: 'address', port: 1 } as const
  assert.equal(placeOf({ ...dns, resolvers: [] }), 'A and AAAA records of chat.test')
  assert.equal(
    placeOf({ ...dns, record: 'srv', resolvers: ['10.0.0.2:53'] }),
    'SRV records of chat.test at 10.0.0.2:53',
  )
  assert.equal(placeOf({ ...discoveryBase, type: 'file', path: '/a "b"' }), 'file "/a \\"b\\""')
})
