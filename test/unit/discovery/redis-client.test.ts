import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { connectRedis, readTarget } from '#src/discovery/redis-client.js'
import type { DiscoveryConfig, RedisConfig } from '#src/model/config.js'
import { makeCertificate } from '../../helpers/certificate.ts'
import { atEnd, type Cleanup } from '../../helpers/cleanup.ts'
import { discoveryBase, type Followed, follow, redisConfig } from '../../helpers/discovery-maker.ts'
import { freePort } from '../../helpers/free-port.ts'
import { HostileRedis } from '../../helpers/hostile-redis.ts'
import { needs } from '../../helpers/peers.ts'
import { RedisServer } from '../../helpers/redis-server.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

function keysOf(redis: RedisConfig): DiscoveryConfig {
  return { ...discoveryBase, type: 'redis-keys', redis, prefix: 'mcs:node:' }
}

test(
  'connectRedis() verifies the certificate of Redis against the file and the name that it is given',
  needs('redis-server', 'openssl'),
  async (t) => {
    const directory = temporaryDirectory(t)
    const certificate = makeCertificate(t, 'DNS:redis.internal')
    const { cert } = certificate
    const redis = await RedisServer.start(t, { certificate })
    await redis.client.set('mcs:node:10.0.0.1:9100', '')
    const start = (tls: RedisConfig['tls'], scheme = 'rediss') =>
      follow(t, keysOf(redisConfig(`${scheme}://127.0.0.1:${redis.tlsPort}`, { tls })))
    const state = (followed: ReturnType<typeof start>, wanted: string) =>
      waitUntil(`${wanted}: ${followed.discovery.status().reason}`, () => followed.discovery.status().state === wanted)
    await state(start({ ca: cert, serverName: 'redis.internal', verify: true }), 'good')
    // Whoever names authorities expects TLS, whatever the scheme says.
    await state(start({ ca: cert, serverName: 'redis.internal', verify: true }, 'redis'), 'good')
    await state(start({ ca: 'system', serverName: '', verify: false }), 'good')
    const untrusted = start({ ca: 'system', serverName: 'redis.internal', verify: true })
    await state(untrusted, 'lost')
    assert.match(untrusted.discovery.status().reason, /^self-signed certificate; set tls\.ca to a file with the cert/)
    const otherName = start({ ca: cert, serverName: 'other.internal', verify: true })
    await state(otherName, 'lost')
    const name = 'the certificate is not for other.internal; set tls.serverName to one of its names: DNS:redis.internal'
    assert.equal(otherName.discovery.status().reason, name)
    const noFile = start({ ca: join(directory, 'gone.pem'), serverName: '', verify: true })
    await state(noFile, 'lost')
    assert.match(noFile.discovery.status().reason, /Cannot read the certificates ".*gone\.pem"/)
    writeFileSync(join(directory, 'gone.pem'), 'no certificate')
    const garbage = start({ ca: join(directory, 'gone.pem'), serverName: 'redis.internal', verify: true })
    await state(garbage, 'lost')
    assert.match(garbage.discovery.status().reason, /^There is no certificate in ".*gone\.pem"/)
    writeFileSync(join(directory, 'gone.pem'), readFileSync(cert))
    await state(garbage, 'good')
  },
)

test(
  'RedisClient.describe() says where TLS is spoken and where it is not',
  needs('redis-server', 'openssl'),
  async (t) => {
    const certificate = makeCertificate(t, 'DNS:redis.internal')
    const redis = await RedisServer.start(t, { certificate })
    const web = await HostileRedis.start(t, () => undefined)
    const says = async (url: string, wanted: RegExp) => {
      const client = connectRedis(redisConfig(url), { connectTimeoutMs: 200 })
      atEnd(t, () => client.close())
      await waitUntil(`${wanted}`, async () => {
        const failure = await client.commands.ping().catch((error: unknown) => error)
        return wanted.test(client.describe(failure))
      })
    }
    await says(`redis://127.0.0.1:${redis.tlsPort}`, /TLS.*write rediss:\/\/ in the URL$/)
    await says(web.url.replace('redis:', 'rediss:'), /^no answer to TLS within 200 ms; .* write redis:\/\/ in the URL$/)
    const greeting = await greetingServer(t)
    await says(`rediss://127.0.0.1:${greeting}`, /^no TLS is spoken there; write redis:\/\/ in the URL$/)
  },
)

test(
  'connectRedis() finds the master through Sentinel, with a password for each of the two',
  needs('redis-server'),
  async (t) => {
    const redis = await RedisServer.start(t, { args: ['--requirepass', 'of-redis'], client: { password: 'of-redis' } })
    const file = join(redis.directory, 'sentinel.conf')
    const monitor = `sentinel monitor chat 127.0.0.1 ${redis.port} 1\nsentinel auth-pass chat of-redis\n`
    writeFileSync(file, `${monitor}requirepass of-sentinel\n`)
    const sentinel = await RedisServer.start(t, { file, args: ['--sentinel'] })
    await redis.client.set('mcs:node:10.0.0.1:9100', '')
    const nodes = [
      { host: '127.0.0.1', port: await freePort() },
      { host: '127.0.0.1', port: sentinel.port },
    ]
    const changes = { sentinel: { master: 'chat', nodes, password: 'of-sentinel' } }
    const followed = follow(t, keysOf(redisConfig('redis://:of-redis@ignored', changes)))
    await waitUntil('the member is found', () => followed.addresses().join() === '10.0.0.1:9100')
  },
)

test(
  'connectRedis() goes over to the replica that Sentinel makes the master when the former one dies',
  needs('redis-server'),
  async (t) => {
    const master = await RedisServer.start(t, { args: ['--repl-diskless-sync-delay', '0'] })
    const replica = await RedisServer.start(t, { args: ['--replicaof', '127.0.0.1', `${master.port}`] })
    const file = join(master.directory, 'sentinel.conf')
    const settings = ['down-after-milliseconds chat 300', 'failover-timeout chat 2000']
    const monitor = `monitor chat 127.0.0.1 ${master.port} 1`
    writeFileSync(file, [monitor, ...settings].map((line) => `sentinel ${line}\n`).join(''))
    const sentinel = await RedisServer.start(t, { file, args: ['--sentinel'] })
    await master.client.set('mcs:node:10.0.0.1:9100', '')
    await waitUntil('the replica has it', async () => (await replica.client.dbsize()) === 1)
    // It asks the master for them every ten seconds.
    const knows = async () => `${await sentinel.client.info()}`.includes('slaves=1')
    await waitUntil('Sentinel knows the replica', knows, 15_000)
    const nodes = [{ host: '127.0.0.1', port: sentinel.port }]
    const config = redisConfig(master.url, { sentinel: { master: 'chat', nodes, password: '' } })
    const followed = follow(t, keysOf(config))
    await waitUntil('the member is found', () => followed.addresses().length === 1)
    await master.kill()
    const promoted = async () => `${await replica.client.info('replication')}`.includes('role:master')
    await waitUntil('the replica is the master', promoted, 20_000)
    await replica.client.set('mcs:node:10.0.0.2:9100', '')
    await waitUntil(
      'what it holds is found',
      () => followed.addresses().join() === '10.0.0.1:9100,10.0.0.2:9100',
      20_000,
    )
    assert.equal(followed.discovery.status().state, 'good')
  },
)

test('connectRedis() reads no other database than that of its URL', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t)
  await redis.client.call('ACL', 'SETUSER', 'lb', 'on', '>pass', '~*', '+@all', '-select')
  await redis.client.set('mcs:node:10.0.0.1:9100', '')
  const followed = follow(t, keysOf(redisConfig(`redis://lb:pass@127.0.0.1:${redis.port}/3`)))
  const told = () => followed.discovery.status().reason.includes('does not let us use the database of the URL: NOPERM')
  await waitUntil('it says so', told)
  await redis.client.call('ACL', 'SETUSER', 'lb', '+select')
  await redis.client.call('SELECT', '3')
  await redis.client.set('mcs:node:10.0.0.2:9100', '')
  await waitUntil('it is read', () => followed.discovery.status().state === 'good', 10_000)
  assert.deepEqual(followed.lists, [['10.0.0.2:9100']])
})

test('connectRedis() reads every master of a cluster', needs('redis-server'), async (t) => {
  const nodes = await startCluster(t, 3)
  const config = redisConfig(nodes[0]!.url, { cluster: [{ host: '127.0.0.1', port: nodes[1]!.port }] })
  const client = connectRedis(config)
  atEnd(t, () => client.close())
  await client.whenReady(5000)
  const wanted = Array.from({ length: 20 }, (_, index) => `10.0.${index + 10}.1:91${index + 10}`)
  for (const address of wanted) await client.commands.set(`mcs:node:${address}`, '{"weight":2}', 'PX', 60_000)
  const sizes = await Promise.all(nodes.map((node) => node.client.dbsize()))
  assert.ok(
    sizes.every((size) => size > 0),
    'every master holds some',
  )
  const followed = follow(t, keysOf(config))
  await waitUntil('all are found', () => followed.addresses().join() === wanted.join())
})

// A key that moved while masters were scanned one after the other was on none of them, and its member left at once. Here
// it is on one that the client does not know yet, which no scan reaches either.
test(
  'startDiscovery() keeps a member whose key no master of the cluster shows, and that the cluster has by its name',
  needs('redis-server'),
  async (t) => {
    const nodes = await startCluster(t, 2, 1)
    const [from, to] = [nodes[0]!, nodes[1]!]
    const addresses = [1, 2, 3].map((host) => `10.0.0.${host}:9100`)
    for (const address of addresses) await from.client.set(`{n}:${address}`, '{"weight":2}')
    const redis = redisConfig(from.url, { cluster: [{ host: '127.0.0.1', port: from.port }] })
    const followed = follow(t, { ...discoveryBase, type: 'redis-keys', redis, prefix: '{n}:', intervalMs: 100 })
    await waitUntil('all are found', () => followed.addresses().join() === addresses.join())
    const [first, ...rest] = addresses.map((address) => `{n}:${address}`)
    // The first master says ASK of a key that has gone ahead of its slot, and MOVED of all when the slot has gone.
    await moveSlot(from, to, [first!], async () => {
      await waitForRead(followed)
      return rest
    })
    await waitForRead(followed)
    await to.client.del(`{n}:${addresses[0]}`)
    await waitUntil('the one that is deleted has gone', () => followed.addresses().length === 2)
    assert.deepEqual(followed.lists, [addresses, addresses.slice(1)])
    assert.deepEqual(
      followed.events.filter(({ level }) => level === 'warn'),
      [],
    )
  },
)

test('RedisClient.describe() leaves out passwords, and what would act on a terminal', (t) => {
  const sentinel = { master: 'chat', nodes: [{ host: '127.0.0.1', port: 1 }], password: 'of-sentinel' }
  const client = connectRedis(redisConfig('redis://:p%40ss@127.0.0.1:1', { sentinel }))
  atEnd(t, () => client.close())
  const said = client.describe(new Error('p@ss, p%40ss and of-sentinel\u001b[2J\r\nare wrong'))
  assert.equal(said, '***, *** and *** [2J are wrong')
  assert.equal(client.describe(new Error('x'.repeat(5000))).length, 200)
  const unsent = client.describe(new Error("Stream isn't writeable and enableOfflineQueue options is false"))
  assert.match(unsent, /there is no connection|ECONNREFUSED/)
})

test('readTarget() takes URLs apart, and quotes none that it refuses', () => {
  const tls = { serverName: '', ca: 'system', verify: true }
  assert.deepEqual(readTarget({ url: 'rediss://us%40er:p%3Aw@[::1]:7000/3', tls }), {
    host: '::1',
    port: 7000,
    username: 'us@er',
    password: 'p:w',
    database: 3,
    isTls: true,
  })
  assert.deepEqual(readTarget({ url: 'redis://:%zz@h', tls }), {
    host: 'h',
    port: 6379,
    username: '',
    password: '%zz',
    database: 0,
    isTls: false,
  })
  for (const change of [{ ca: '/ca.pem' }, { serverName: 'redis.internal' }, { verify: false }]) {
    assert.equal(readTarget({ url: 'redis://h', tls: { ...tls, ...change } }).isTls, true)
  }
  for (const url of ['', 'http://:geheim@h', 'redis://:geheim@', 'redis://:geheim@h/db', 'geheim']) {
    assert.throws(
      () => readTarget({ url, tls }),
      (error: Error) => !error.message.includes('geheim'),
    )
  }
})

/** The port of a server that greets as some do, in plain text. */
async function greetingServer(t: Cleanup): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {}).end('220 ready\r\n'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(t, () => server.close())
  return (server.address() as AddressInfo).port
}

async function clusterNode() {
  const [port, busPort] = [await freePort(), await freePort()]
  return { port, busPort, args: ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`] }
}

/** A cluster whose slots the first `owners` nodes share, all of them unless given. */
async function startCluster(t: TestContext, count: number, owners = count): Promise<RedisServer[]> {
  const nodes: RedisServer[] = []
  for (let index = 0; index < count; index++) nodes.push(await RedisServer.start(t, await clusterNode()))
  for (const [index, node] of nodes.entries()) {
    const [from, to] = [Math.ceil((16_384 / owners) * index), Math.ceil((16_384 / owners) * (index + 1)) - 1]
    if (index < owners) await node.client.call('CLUSTER', 'ADDSLOTSRANGE', from, to)
    await node.client.call('CLUSTER', 'MEET', '127.0.0.1', nodes[0]!.port, nodes[0]!.busPort)
  }
  for (const node of nodes) {
    const isUp = async () => {
      const info = String(await node.client.call('CLUSTER', 'INFO'))
      return info.includes('cluster_state:ok') && info.includes(`known_nodes:${count}`)
    }
    await waitUntil('the cluster is up', isUp, 15_000)
  }
  return nodes
}

/** Moves the slot of `{n}`: first some keys of it, then those that `rest` resolves to, then the slot itself. */
async function moveSlot(
  from: RedisServer,
  to: RedisServer,
  first: readonly string[],
  rest: () => Promise<readonly string[]>,
): Promise<void> {
  const slot = Number(await from.client.call('CLUSTER', 'KEYSLOT', '{n}'))
  const [fromId, toId] = [
    String(await from.client.call('CLUSTER', 'MYID')),
    String(await to.client.call('CLUSTER', 'MYID')),
  ]
  const move = (keys: readonly string[]) =>
    from.client.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys)
  await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
  await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
  await move(first)
  await move(await rest())
  for (const node of [to, from]) await node.client.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
}

/** Waits until the source has been read twice more, the second time from its beginning. */
async function waitForRead({ discovery }: Followed): Promise<void> {
  for (let count = 0; count < 2; count++) {
    const before = discovery.status().lastGoodReadMs ?? 0
    await waitUntil('it is read', () => (discovery.status().lastGoodReadMs ?? 0) > before)
  }
}
