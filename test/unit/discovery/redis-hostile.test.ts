import { test } from 'node:test'
import { createRedisHash } from '#src/control/redis-hash.js'
import { connectRedis } from '#src/discovery/redis-client.js'
import { register } from '#src/discovery/register.js'
import type { RedisConfig } from '#src/model/config.js'
import { atEnd, type Cleanup, CleanupList } from '../../helpers/cleanup.ts'
import { discoveryBase, follow, redisConfig } from '../../helpers/discovery-maker.ts'
import { type Answer, HostileRedis, resp } from '../../helpers/hostile-redis.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

// Each command is answered with each of these, in each way of reaching a Redis, by a server that comes to its senses
// after two such answers. What throws where nobody catches fails the test; what hangs or gives up for ever does as well.
const replies: Readonly<Record<string, string>> = {
  'a simple string': '+OK\r\n',
  'an empty simple string': '+\r\n',
  'an error': '-ERR \u001b[31mred\u0007 secret\r\n',
  'an empty error': '-\r\n',
  'MOVED without a target': '-MOVED\r\n',
  'MOVED to nowhere': '-MOVED 5 nowhere\r\n',
  'MOVED to a port that is none': '-MOVED 5 127.0.0.1:99999\r\n',
  'MOVED to a slot that is none': '-MOVED __proto__ 127.0.0.1:1\r\n',
  'MOVED to where nobody listens': '-MOVED 5 127.0.0.1:1\r\n',
  'ASK without a target': '-ASK 5\r\n',
  TRYAGAIN: '-TRYAGAIN x\r\n',
  CLUSTERDOWN: '-CLUSTERDOWN x\r\n',
  READONLY: '-READONLY x\r\n',
  NOAUTH: '-NOAUTH x\r\n',
  NOPERM: '-NOPERM x\r\n',
  'a number': ':1\r\n',
  'a negative number': ':-7\r\n',
  'a number that is none': ':x\r\n',
  'a string': '$1\r\nx\r\n',
  'a string of what INFO says': resp('loading:1\r\nloading_eta_seconds:-5\r\nrole:slave'),
  'an empty string': '$0\r\n\r\n',
  'a null string': '$-1\r\n',
  'a string of negative length': '$-5\r\n',
  'a string that is too long': '$99999999999\r\n',
  'a string without its end': '$1\r\nxyz\r\n',
  'an empty array': '*0\r\n',
  'a null array': '*-1\r\n',
  'an array of negative length': '*-7\r\n',
  'an array that is too long': '*99999999999\r\n',
  'an array of null': '*1\r\n$-1\r\n',
  'an array of three nulls': '*3\r\n$-1\r\n$-1\r\n$-1\r\n',
  'arrays in arrays': resp([[1], [5]]),
  'an array of numbers': resp([1, 2]),
  'an array of a number and an array of null': resp([0, [null]]),
  'an array of errors': '*2\r\n-ERR a\r\n-ERR b\r\n',
  'an array far too deep': '*1\r\n'.repeat(100_000),
  'a Sentinel with a port that is none': resp(['127.0.0.1', '99999']),
  'a Sentinel with a host that is none': resp(['a b\0', '6379']),
  'slots without end': resp([[0, 9_007_199_254_740_991, ['127.0.0.1', 1]]]),
  'slots of everybody': resp([[0, 16_383, ...Array.from({ length: 2000 }, (_, index) => ['127.0.0.1', index + 1])]]),
  'slots over and over': resp(Array.from({ length: 9000 }, () => [0, 16_383, ['127.0.0.1', 1]])),
  'slots of names': resp([['__proto__', 'z', ['127.0.0.1', 1]]]),
  'slots of nodes that are none': resp([[0, 16_383, [[], {}.constructor.name]]]),
  'slots of null': resp([[0, 16_383, null]]),
  'a message of null': '*4\r\n$8\r\npmessage\r\n$-1\r\n$-1\r\n$-1\r\n',
  'a message of numbers': '*4\r\n$8\r\npmessage\r\n:1\r\n:2\r\n:3\r\n',
  'a message': resp(['pmessage', 'x', 'x', 'set']),
  'a subscription of null': resp(['psubscribe', null, 1]),
  'the end of a subscription': resp(['punsubscribe', null, 0]),
  'another message': resp(['message', null, null]),
  'a map': '%1\r\n+a\r\n+b\r\n',
  'a set': '~1\r\n$-1\r\n',
  'a push of null': '>1\r\n$-1\r\n',
  'a push of nothing': '>0\r\n',
  'a push of a subscription': '>2\r\n$9\r\nsubscribe\r\n$-1\r\n',
  'a boolean': '#t\r\n',
  'a double': ',1.5\r\n',
  'a big number': '(12345\r\n',
  'the null of RESP3': '_\r\n',
  'a verbatim string': '=5\r\ntxt:x\r\n',
  'a bulk error': '!3\r\nERR\r\n',
  'an attribute': '|1\r\n+a\r\n+b\r\n',
  'a type that is none': '?1\r\n',
  'another protocol': 'HTTP/1.1 400 Bad Request\r\n\r\n',
  'line ends': '\r\n\r\n',
  'two answers': '$-1\r\n$-1\r\n',
  'an answer and an error': '+OK\r\n-ERR x\r\n',
}

type Mode = 'single' | 'sentinel' | 'cluster'

/** What a Redis with one member says, whatever it is asked. */
function honest(words: readonly string[], port: number): string {
  const name = words[0]?.toLowerCase() ?? ''
  const nowMs = Date.now()
  const known: Readonly<Record<string, () => string>> = {
    scan: () => resp(['0', ['mcs:node:10.0.0.1:9100']]),
    zscan: () => resp(['0', ['10.0.0.1:9100', `${nowMs}`]]),
    hscan: () => resp(['0', ['chat 192.0.2.1', '1767225600000 10.0.0.1:9100']]),
    time: () => resp([`${Math.floor(nowMs / 1000)}`, `${(nowMs % 1000) * 1000}`]),
    zscore: () => resp(`${nowMs}`),
    pttl: () => resp(60_000),
    getrange: () => resp('{}'),
    psubscribe: () => resp(['psubscribe', words[1] ?? '', 1]),
    info: () => resp('# Replication\r\nrole:master\r\n'),
    sentinel: () => resp(['127.0.0.1', `${port}`]),
    cluster: () =>
      words[1]?.toLowerCase() === 'slots'
        ? resp([[0, 16_383, ['127.0.0.1', port, 'id', []]]])
        : resp('cluster_state:ok\r\n'),
    hset: () => resp(1),
    hdel: () => resp(1),
    hlen: () => resp(1),
    zadd: () => resp(1),
    eval: () => resp(1),
  }
  return known[name]?.() ?? '+OK\r\n'
}

/** Names a command by its name, or by name and argument: `cluster slots`. */
function isVictim(words: readonly string[], victim: string): boolean {
  return words.slice(0, victim.split(' ').length).join(' ').toLowerCase() === victim
}

/** Uses a server that answers `victim` wrongly twice, and waits until it did so and everything goes well again. */
async function getOver(mode: Mode, use: Use, victim: string, reply: string): Promise<void> {
  const t = new CleanupList()
  let bad = 0
  const answer: Answer = (words) => {
    if (!isVictim(words, victim) || bad >= 2) return honest(words, redis.port)
    bad++
    return reply
  }
  const redis: HostileRedis = await HostileRedis.start(t, answer)
  try {
    await use(t, configOf(mode, redis))
    await waitUntil(`${victim} was answered wrongly`, () => bad >= 1)
  } finally {
    await t.run()
  }
}

function configOf(mode: Mode, { port }: HostileRedis): RedisConfig {
  const node = { host: '127.0.0.1', port }
  const url = `redis://:secret@127.0.0.1:${port}/1`
  if (mode === 'cluster') return redisConfig(url, { cluster: [node] })
  return redisConfig(url, mode === 'sentinel' ? { sentinel: { master: 'chat', nodes: [node], password: 's' } } : {})
}

/** Uses a Redis until all has gone well once. */
type Use = (t: Cleanup, config: RedisConfig) => Promise<void>

const uses: Readonly<Record<string, Use>> = {
  async keys(t, redis) {
    const followed = follow(t, { ...discoveryBase, type: 'redis-keys', redis, prefix: 'mcs:node:', intervalMs: 50 })
    const { discovery } = followed
    await waitUntil(
      'keys are read',
      () => followed.addresses().length === 1 && discovery.status().state === 'good',
      60_000,
    )
  },
  async set(t, redis) {
    const config = { ...discoveryBase, type: 'redis-sorted-set', redis, key: 'nodes', intervalMs: 200 } as const
    const followed = follow(t, { ...config, score: 'heartbeat', maxAgeMs: 100 })
    const { discovery } = followed
    await waitUntil(
      'a set is read',
      () => followed.addresses().length === 1 && discovery.status().state === 'good',
      60_000,
    )
  },
  async hash(t, redis) {
    const client = connectRedis(redis)
    atEnd(t, () => client.close())
    const hash = createRedisHash(client.commands as Parameters<typeof createRedisHash>[0], 'sticky', { timeoutMs: 500 })
    await waitUntil(
      'a hash is read and written',
      async () => {
        try {
          for await (const fields of hash.readAll()) if (fields.size !== 1) return false
          await hash.write(new Map([['a', 'b']]))
          await hash.remove(['a'])
          return (await hash.size()) === 1
        } catch {
          return false
        }
      },
      60_000,
    )
  },
  async register(_, redis) {
    for (const form of ['keys', 'sorted-set'] as const) {
      let isRegistered = false
      const onState = ({ registered }: { registered: boolean }) => {
        isRegistered = registered
      }
      const registration = await register({ redis, address: '10.0.0.1:9100', form, intervalMs: 100, onState })
      await waitUntil('it is registered', () => isRegistered, 60_000)
      await registration.close()
    }
  },
}

const victims: Readonly<Record<string, readonly string[]>> = {
  keys: ['auth', 'select', 'scan', 'pttl', 'getrange', 'psubscribe'],
  set: ['time', 'zscan', 'zscore'],
  hash: ['hscan', 'hset', 'hdel', 'hlen'],
  register: ['set', 'time', 'zadd'],
}
const ofMode: Readonly<Record<Mode, readonly string[]>> = {
  single: [],
  sentinel: ['sentinel', 'info'],
  cluster: ['cluster slots', 'cluster info'],
}

for (const mode of ['single', 'sentinel', 'cluster'] as const) {
  for (const [use, commands] of Object.entries(victims)) {
    for (const victim of use === 'keys' ? [...commands, ...ofMode[mode]] : commands) {
      // In a cluster there is one database, and no subscription.
      if (mode === 'cluster' && (victim === 'select' || victim === 'psubscribe')) continue
      test(`connectRedis() gets over every kind of answer to ${victim} (${use}, ${mode})`, async () => {
        await Promise.all(Object.values(replies).map((reply) => getOver(mode, uses[use]!, victim, reply)))
      })
    }
  }
}

test('RedisClient.describe() says what a node of a cluster answered that is none', async (t) => {
  const redis: HostileRedis = await HostileRedis.start(t, (words) =>
    isVictim(words, 'cluster slots') ? resp([['__proto__', 'z', []]]) : honest(words, redis.port),
  )
  const config = configOf('cluster', redis)
  const followed = follow(t, { ...discoveryBase, type: 'redis-keys', redis: config, prefix: 'mcs:node:' })
  const reason = 'it does not speak as Redis does: it sent slots of no cluster'
  await waitUntil(reason, () => followed.discovery.status().reason === reason)
})
