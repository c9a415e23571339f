import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type RegistrationState, register } from '#src/discovery/register.js'
import type { McsError } from '#src/model/errors.js'
import { makeCertificate } from '../helpers/certificate.ts'
import { spawnChild } from '../helpers/child-process.ts'
import { atEnd } from '../helpers/cleanup.ts'
import { discoveryBase, follow, redisConfig } from '../helpers/discovery-maker.ts'
import { freePort } from '../helpers/free-port.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { needs } from '../helpers/peers.ts'
import { RedisServer } from '../helpers/redis-server.ts'
import { waitUntil } from '../helpers/wait-until.ts'
import { within } from '../helpers/within.ts'

const program = fileURLToPath(import.meta.resolve('#src/main.js'))

interface Command {
  readonly child: ChildProcess
  /** What it has printed. */
  said(): string
  /** Sends a signal and returns the exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

function runRegister(t: TestContext, args: readonly string[]): Command {
  const child = spawnChild(process.execPath, [program, 'register', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  atEnd(t, async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    child,
    said: () => said,
    end(signal) {
      child.kill(signal)
      return within(5000, 'mcs-lb register ends', ended)
    },
  }
}

test(
  'mcs-lb register keeps a key alive that discovery finds, and removes it at SIGTERM',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const options = ['--ttl', '600ms', '--interval', '100ms', '--weight', '7', '--zone', 'b']
    const command = runRegister(t, ['--redis', redis.url, '--address', '10.0.0.1:9100', ...options])
    await redis.client.set('mcs:node:10.0.0.2:9100', '')
    const followed = follow(t, {
      ...discoveryBase,
      type: 'redis-keys',
      redis: redisConfig(redis.url),
      prefix: 'mcs:node:',
    })
    await waitUntil('both are members', () => followed.addresses().join() === '10.0.0.1:9100,10.0.0.2:9100')
    assert.equal(followed.discovery.members[0]?.weight, 7)
    const life = await redis.client.pttl('mcs:node:10.0.0.1:9100')
    assert.ok(life > 0 && life <= 600, `${life}`)
    await waitUntil('it is beaten anew', async () => (await redis.client.pttl('mcs:node:10.0.0.1:9100')) > life - 50)
    assert.equal(await command.end('SIGTERM'), 0)
    assert.equal(await redis.client.exists('mcs:node:10.0.0.1:9100'), 0)
    await waitUntil('one member is left', () => followed.addresses().join() === '10.0.0.2:9100')
    assert.equal(command.said(), 'registered 10.0.0.1:9100\nremoved 10.0.0.1:9100\n')
  },
)

test(
  'mcs-lb register speaks TLS, and registers nowhere where it cannot verify',
  needs('redis-server', 'openssl'),
  async (t) => {
    const certificate = makeCertificate(t, 'DNS:redis.internal')
    const redis = await RedisServer.start(t, { certificate })
    const url = `rediss://127.0.0.1:${redis.tlsPort}`
    const register = (address: string, ...options: readonly string[]) =>
      runRegister(t, ['--redis', url, '--ca', certificate.cert, '--address', address, ...options])
    const wrong = register('10.0.0.1:9100', '--server-name', 'other.internal')
    await waitUntil('it says so', () => /set --server-name to one of its names: DNS:redis\.internal/.test(wrong.said()))
    register('10.0.0.2:9100', '--server-name', 'redis.internal')
    await waitUntil('it is registered', async () => (await redis.client.exists('mcs:node:10.0.0.2:9100')) === 1)
    assert.equal(await redis.client.exists('mcs:node:10.0.0.1:9100'), 0)
  },
)

test(
  'mcs-lb register beats into a sorted set by the clock of Redis, and removes its member at SIGINT',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const options = ['--form', 'sorted-set', '--key', 'nodes', '--interval', '100ms', '--backup']
    const command = runRegister(t, ['--redis', redis.url, '--address', '[fd00::1]:9100', ...options])
    const config = { ...discoveryBase, type: 'redis-sorted-set', redis: redisConfig(redis.url), key: 'nodes' } as const
    const followed = follow(t, { ...config, score: 'heartbeat', maxAgeMs: 2000 })
    await waitUntil('it is a member', () => followed.addresses().join() === '[fd00::1]:9100')
    assert.equal(followed.discovery.members[0]?.priority, 16)
    assert.equal(await command.end('SIGINT'), 0)
    assert.equal(await redis.client.zcard('nodes'), 0)
  },
)

test(
  'mcs-lb register --check sends no heartbeat while the backend takes no connection',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    const port = await freePort()
    const key = `mcs:node:127.0.0.1:${port}`
    const options = ['--check', '--ttl', '400ms', '--interval', '100ms']
    const command = runRegister(t, ['--redis', redis.url, '--address', `127.0.0.1:${port}`, ...options])
    await waitUntil('it says why', () => command.said().includes('takes no connection: ECONNREFUSED'))
    assert.equal(await redis.client.exists(key), 0)
    const backend = await NamedBackend.start(t, 'a', port)
    await waitUntil('it is registered', async () => (await redis.client.exists(key)) === 1)
    await backend.stop()
    await waitUntil('the entry has ended', async () => (await redis.client.exists(key)) === 0)
  },
)

test('mcs-lb register --address auto:PORT finds the address on the way to Redis', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  const command = runRegister(t, ['--redis', `redis://localhost:${redis.port}`, '--address', 'auto:9100'])
  await waitUntil('it is registered', async () => (await redis.client.exists('mcs:node:127.0.0.1:9100')) === 1)
  assert.equal(await command.end('SIGTERM'), 0)
  assert.equal(command.said(), 'registered 127.0.0.1:9100\nremoved 127.0.0.1:9100\n')
})

// A full disk under its log ended the process with ENOSPC, and so took a backend that was well out of the registry.
test('mcs-lb register goes on where its output cannot be written', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  const full = openSync('/dev/full', 'w')
  atEnd(t, () => closeSync(full))
  const options = ['--redis', redis.url, '--address', '10.0.0.1:9100', '--ttl', '400ms', '--interval', '100ms']
  for (const stdio of [
    ['ignore', full, 'ignore'],
    ['ignore', full, full],
  ] as const) {
    const child = spawnChild(process.execPath, [program, 'register', ...options], { stdio: [...stdio] })
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    atEnd(t, () => child.kill('SIGKILL'))
    const key = 'mcs:node:10.0.0.1:9100'
    await waitUntil('it is registered', async () => (await redis.client.exists(key)) === 1)
    const first = await redis.client.get(key)
    await redis.client.del(key)
    await waitUntil('it is beaten anew', async () => (await redis.client.get(key)) === first)
    child.kill('SIGTERM')
    assert.equal(await within(5000, 'it ends', ended), 0)
    assert.equal(await redis.client.exists(key), 0)
  }
})

test('mcs-lb register names the option that is out of bounds, and the bounds', async (t) => {
  const wrong: readonly [string, readonly string[], RegExp][] = [
    ['--max-connections', ['0'], /--max-connections 0; write 1 to 1000000/],
    ['--max-connections', ['1000001'], /--max-connections 1000001; write 1 to 1000000/],
    ['--weight', ['0'], /--weight 0; write 1 to 256/],
    ['--weight', ['257'], /--weight 257; write 1 to 256/],
    ['--priority', ['16'], /--priority 16; write 0 to 15/],
    ['--priority', ['1', '--backup'], /--priority beside --backup; write one of them/],
    ['--zone', ['z'.repeat(65)], /--zone of 65 characters; write 64 at most/],
    ['--interval', ['50ms'], /--interval 50 ms; write 100ms to 1d/],
    ['--ttl', ['1s'], /--ttl 1000 ms .*--interval/],
    ['--form', ['sorted-set', '--prefix', 'foo:'], /--prefix beside --form sorted-set; write --key/],
    ['--form', ['sorted-set', '--ttl', '10s'], /--ttl beside --form sorted-set; remove it/],
    ['--form', ['keys', '--key', 'foo'], /--key without --form sorted-set; write --prefix/],
    ['--redis', ['redis://h', '--ca', 'gone.pem'], /--ca, which is of rediss:\/\/ URLs/],
    ['--redis', ['redis://h', '--server-name', 'h'], /--server-name, which is of rediss:\/\/ URLs/],
    ['--prefix', [''], /--prefix.*empty/],
    ['--redis', ['http://127.0.0.1'], /^error: .*redis:/],
    ['--prefix', ['mcs:node:*'], /--prefix "mcs:node:\*".*no pattern/],
    ['--address', ['10.0.0.1'], /--address "10\.0\.0\.1"; write an address/],
  ]
  await Promise.all(
    wrong.map(async ([option, values, message]) => {
      const command = runRegister(t, ['--address', '10.0.0.1:9100', option, ...values])
      assert.equal(await within(10_000, 'it ends', new Promise((resolve) => command.child.once('close', resolve))), 2)
      assert.match(command.said(), message)
    }),
  )
})

test('mcs-lb register refuses what is no duration and no address', async (t) => {
  const usage = runRegister(t, ['--address', '10.0.0.1:9100', '--ttl', '5'])
  assert.equal(await within(5000, 'it ends', new Promise((resolve) => usage.child.once('close', resolve))), 2)
  const address = runRegister(t, ['--address', 'chat:9100'])
  assert.equal(await within(5000, 'it ends', new Promise((resolve) => address.child.once('close', resolve))), 2)
  assert.match(address.said(), /"chat:9100"; write an address that others reach/)
})

test(
  'register() goes on trying while Redis is away, and tells of each change once',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    await redis.kill()
    const states: RegistrationState[] = []
    const options = { redis: redis.url, address: '10.0.0.1:9100', ttlMs: 1000, intervalMs: 100 }
    const registration = await register({ ...options, onState: (state) => states.push(state) })
    atEnd(t, () => registration.close())
    await waitUntil('it says that it is not registered', () => states.length > 0)
    assert.equal(states[0]?.registered, false)
    assert.match(states[0]?.reason ?? '', /ECONNREFUSED/)
    await redis.start()
    await waitUntil('it is registered', () => states.at(-1)?.registered === true)
    await registration.close()
    assert.equal(await redis.client.exists('mcs:node:10.0.0.1:9100'), 0)
  },
)

test('Registration.close() leaves an entry that another process has taken over', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  for (const form of ['keys', 'sorted-set'] as const) {
    let registered = false
    const times = { intervalMs: 3_600_000, ...(form === 'keys' && { ttlMs: 3_600_001 }) }
    const registration = await register({
      redis: redis.url,
      address: '10.0.0.1:9100',
      form,
      ...times,
      onState: (state) => {
        registered = state.registered
      },
    })
    await waitUntil('it is registered', () => registered)
    if (form === 'keys') await redis.client.set('mcs:node:10.0.0.1:9100', 'another')
    else await redis.client.zadd('mcs:node', 5, '10.0.0.1:9100')
    assert.deepEqual(await registration.close(), { entry: 'gone', reason: '' })
  }
  assert.equal(await redis.client.get('mcs:node:10.0.0.1:9100'), 'another')
  assert.equal(await redis.client.zscore('mcs:node', '10.0.0.1:9100'), '5')
})

/** A registration, and how often it was told that it is (`registered`) or is not (`refused`) registered. */
async function registerCounting(redis: RedisServer, form: 'keys' | 'sorted-set', url = redis.url) {
  const told = { registered: 0, refused: 0 }
  const registration = await register({
    redis: url,
    address: '10.0.0.1:9100',
    form,
    intervalMs: 100,
    ...(form === 'keys' && { ttlMs: 60_000 }),
    onState: ({ registered }) => told[registered ? 'registered' : 'refused']++,
  })
  return { registration, told }
}

// A write that Redis had refused was told of as an entry that had ended, or that stays until it ends by its age.
const refusals: Record<string, (redis: RedisServer) => Promise<unknown>> = {
  'is full': ({ client }) => client.config('SET', 'maxmemory', '1'),
  'is a replica': ({ client }) => client.call('REPLICAOF', '127.0.0.1', '1'),
  'lets the user write nothing': ({ client }) =>
    client.call('ACL', 'SETUSER', 'writer', 'on', '>p', '~*', '+time', '+eval', '+get', '+del', '+zscore', '+zrem'),
  'is not reached': (redis) => redis.kill(),
}

for (const [why, refuse] of Object.entries(refusals)) {
  test(
    `Registration.close() tells of no entry where none was written, for Redis ${why}`,
    needs('redis-server'),
    async (t) => {
      const redis = await RedisServer.start(t)
      await refuse(redis)
      const url = why.includes('user') ? redis.url.replace('//', '//writer:p@') : redis.url
      for (const form of ['keys', 'sorted-set'] as const) {
        const { registration, told } = await registerCounting(redis, form, url)
        await waitUntil('it is refused', () => told.refused > 0)
        assert.deepEqual(await registration.close(), { entry: 'unwritten', reason: '' })
      }
    },
  )
}

test('Registration.close() removes what was written before Redis refused more', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  for (const form of ['keys', 'sorted-set'] as const) {
    await redis.client.config('SET', 'maxmemory', '0')
    const { registration, told } = await registerCounting(redis, form)
    await waitUntil('it is registered', () => told.registered > 0)
    await redis.client.config('SET', 'maxmemory', '1')
    await waitUntil('it is refused', () => told.refused > 0)
    assert.deepEqual(await registration.close(), { entry: 'removed', reason: '' })
    assert.equal(await redis.client.dbsize(), 0)
  }
})

test(
  'Registration.close() takes a write without an answer for one that may be there',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t)
    for (const form of ['keys', 'sorted-set'] as const) {
      await redis.client.call('CLIENT', 'PAUSE', '60000', 'WRITE')
      const { registration, told } = await registerCounting(redis, form)
      await waitUntil('there was no answer', () => told.refused > 0)
      assert.equal((await registration.close()).entry, 'left')
      await redis.client.call('CLIENT', 'UNPAUSE')
    }
  },
)

test('register() refuses wrong options without quoting a password', async () => {
  const bad = [
    { redis: 'http://:geheim@h' },
    { address: '0.0.0.0:1' },
    { address: 'auto:0' },
    { ttlMs: 100, intervalMs: 200 },
    { weight: 0 },
    { backup: true, priority: 1 },
    { prefix: '' },
    { redis: redisConfig('redis://h', { tls: { ca: 'system', serverName: '', verify: false } }) },
  ]
  for (const change of bad) {
    await assert.rejects(
      register({ redis: 'redis://127.0.0.1:1', address: '10.0.0.1:1', ...change }),
      (error: McsError) => {
        assert.equal(error.code, 'MCS_CONFIG_INVALID')
        return !error.message.includes('geheim')
      },
    )
  }
})
