import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { scaled } from '#src/discovery/dns.js'
import type { DiscoveryConfig } from '#src/model/config.js'
import { discoveryBase, type Followed, follow } from '../../helpers/discovery-maker.ts'
import { type DnsRecord, DnsServer } from '../../helpers/dns-server.ts'
import { freePort } from '../../helpers/free-port.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

type DnsConfig = Extract<DiscoveryConfig, { type: 'dns' }>

function configOf(server: DnsServer, changes: Partial<DnsConfig>): DnsConfig {
  const names = { host: 'chat.test', record: 'address', port: 9100, resolvers: [server.address] } as const
  return { ...discoveryBase, type: 'dns', ...names, ...changes }
}

function followName(t: TestContext, server: DnsServer, changes: Partial<DnsConfig> = {}): Followed {
  return follow(t, configOf(server, changes))
}

function a(address: string, ttl = 0): DnsRecord {
  return { type: address.includes(':') ? 'AAAA' : 'A', address, ttl }
}

function srv(target: string, port: number, priority: number, weight: number): DnsRecord {
  return { type: 'SRV', target, port, priority, weight, ttl: 0 }
}

async function shows(followed: Followed, ...wanted: readonly string[]): Promise<void> {
  await waitUntil(`members are ${wanted}`, () => followed.addresses().join() === wanted.join())
}

test('startDiscovery() follows the A and AAAA records of a name', async (t) => {
  const server = await DnsServer.start(t)
  server.records.set('chat.test', [a('10.0.0.1'), a('10.0.0.2'), a('fd00::1')])
  const followed = followName(t, server)
  await shows(followed, '10.0.0.1:9100', '10.0.0.2:9100', '[fd00::1]:9100')
  server.records.set('chat.test', [a('10.0.0.1'), a('10.0.0.3')])
  await waitUntil('the new one is there', () => followed.addresses().includes('10.0.0.3:9100'))
  const only = followName(t, server, { record: 'a' })
  await shows(only, '10.0.0.1:9100', '10.0.0.3:9100')
})

test('startDiscovery() waits without an error for a name that does not resolve yet', async (t) => {
  const server = await DnsServer.start(t)
  const followed = followName(t, server)
  await waitUntil('the source is empty', () => followed.discovery.status().state === 'empty')
  server.records.set('chat.test', [a('10.0.0.1')])
  await shows(followed, '10.0.0.1:9100')
  assert.deepEqual([...new Set(followed.events.map(({ level }) => level))], ['info'])
})

// A wrong name looked like a registry that is empty: nothing said that there is no such name.
test('startDiscovery() tells a name that does not exist from one without records, and a server that is away', async (t) => {
  const server = await DnsServer.start(t)
  const followed = followName(t, server)
  const reasonBecomes = (other: Followed, reason: string) =>
    waitUntil(reason, () => other.discovery.status().reason === reason)
  await reasonBecomes(followed, 'there is no name chat.test (NXDOMAIN)')
  server.records.set('chat.test', [srv('a.test', 9100, 0, 1)])
  await reasonBecomes(followed, 'chat.test has no A and AAAA records')
  const services = followName(t, server, { record: 'srv' })
  await reasonBecomes(services, 'no target of its records has an address')
  const resolver = `127.0.0.1:${await freePort()}`
  const nobody = followName(t, server, { resolvers: [resolver] })
  await reasonBecomes(nobody, `Cannot look up chat.test: no server takes questions (asked ${resolver})`)
})

test('startDiscovery() keeps everybody when a name is gone, has no records, or its server fails or is silent', async (t) => {
  const server = await DnsServer.start(t)
  server.records.set('chat.test', [a('10.0.0.1'), a('10.0.0.2')])
  const followed = followName(t, server)
  const enters = (state: string) => waitUntil(state, () => followed.discovery.status().state === state, 10_000)
  await enters('good')
  server.records.delete('chat.test')
  await enters('empty')
  server.records.set('chat.test', [a('10.0.0.1'), a('10.0.0.2')])
  await enters('good')
  server.records.set('chat.test', [])
  await enters('empty')
  server.mode = 'fail'
  await enters('lost')
  assert.match(followed.discovery.status().reason, /chat\.test: the server failed/)
  server.mode = 'answer'
  server.records.set('chat.test', [a('10.0.0.1'), a('10.0.0.2')])
  await enters('good')
  server.mode = 'silent'
  await enters('lost')
  assert.match(followed.discovery.status().reason, /no server answered in time/)
  assert.equal(followed.lists.length, 1)
})

test('startDiscovery() asks no more often than the least time to live', async (t) => {
  const server = await DnsServer.start(t)
  server.records.set('chat.test', [a('10.0.0.1', 60), a('10.0.0.2', 1)])
  const followed = followName(t, server, { record: 'a', intervalMs: 10 })
  await shows(followed, '10.0.0.1:9100', '10.0.0.2:9100')
  const begin = performance.now()
  const before = server.questions
  await waitUntil('it asks again', () => server.questions > before)
  assert.ok(performance.now() - begin > 800, `${performance.now() - begin} ms`)
})

test('startDiscovery() believes an update that is held back when its time has come, however long records are good', async (t) => {
  const server = await DnsServer.start(t)
  server.records.set('chat.test', [a('10.0.0.1'), a('10.0.0.2'), a('10.0.0.3')])
  const followed = followName(t, server, { record: 'a', holdBackMs: 300 })
  await shows(followed, '10.0.0.1:9100', '10.0.0.2:9100', '10.0.0.3:9100')
  server.records.set('chat.test', [a('10.0.0.1', 3600)])
  await shows(followed, '10.0.0.1:9100')
})

test('startDiscovery() takes port, priority and weight of SRV records, and the addresses of their targets', async (t) => {
  const server = await DnsServer.start(t)
  const services = [srv('a.test', 9101, 10, 30), srv('b.test', 9102, 20, 5), srv('gone.test', 9103, 10, 1)]
  server.records.set('chat.test', services)
  server.records.set('a.test', [a('10.0.0.1'), a('fd00::1')])
  server.records.set('b.test', [a('10.0.0.2')])
  const followed = followName(t, server, { record: 'srv' })
  await shows(followed, '10.0.0.1:9101', '10.0.0.2:9102', '[fd00::1]:9101')
  assert.deepEqual(
    followed.discovery.members.map(({ weight, priority }) => [weight, priority]),
    [
      [30, 0],
      [5, 1],
      [30, 0],
    ],
  )
})

// One target with SERVFAIL made the whole service lost: at a first start there was no backend at all, and the reason
// named the service, which had answered.
test('startDiscovery() finds the other targets of SRV records where one cannot be looked up', async (t) => {
  const server = await DnsServer.start(t)
  const names = ['a.test', 'b.test', 'c.test']
  server.records.set(
    'chat.test',
    names.map((name) => srv(name, 9100, 0, 1)),
  )
  for (const [index, name] of names.entries()) server.records.set(name, [a(`10.0.0.${index + 1}`)])
  for (const name of names) server.failing.add(name)
  const stateDirectory = temporaryDirectory(t)
  const followed = follow(t, configOf(server, { record: 'srv' }), { stateDirectory })
  await waitUntil('the source is lost', () => followed.discovery.status().state === 'lost')
  assert.match(
    followed.discovery.status().reason,
    /^Cannot look up [abc]\.test, a target of chat\.test: the server failed \(asked 127\.0\.0\.1:\d+\)$/,
  )
  for (const name of ['b.test', 'c.test']) server.failing.delete(name)
  await shows(followed, '10.0.0.2:9100', '10.0.0.3:9100')
  assert.deepEqual(followed.discovery.status().refused, { 'lookup-failed': 1 })
  server.failing.clear()
  await shows(followed, '10.0.0.1:9100', '10.0.0.2:9100', '10.0.0.3:9100')
  // What a target had it keeps while it fails, and others may change.
  server.failing.add('b.test')
  server.records.set('c.test', [a('10.0.0.4')])
  await shows(followed, '10.0.0.1:9100', '10.0.0.2:9100', '10.0.0.4:9100')
  assert.equal(followed.discovery.status().state, 'good')
  await followed.discovery.close()
  const next = follow(t, configOf(server, { record: 'srv' }), { stateDirectory })
  await waitUntil('the source is lost', () => next.discovery.status().state === 'lost')
  assert.match(next.discovery.status().reason, /b\.test, a target of chat\.test/)
  await shows(next, '10.0.0.1:9100', '10.0.0.2:9100', '10.0.0.4:9100')
})

// Some servers answer AAAA with SERVFAIL, or not at all, for names that have IPv4 addresses only: the source was lost.
for (const [record, ofName] of [
  ['address', 'the AAAA records of chat.test'],
  ['srv', 'the AAAA records of a.test, a target of chat.test'],
] as const) {
  test(`startDiscovery() follows the family that answers where the other fails, by ${record}`, async (t) => {
    const server = await DnsServer.start(t)
    const setAddresses = (...addresses: readonly string[]) => {
      const records = addresses.map((address) => a(address))
      server.records.set('chat.test', record === 'srv' ? [srv('a.test', 9100, 0, 1)] : records)
      server.records.set('a.test', records)
    }
    server.failingTypes.add('AAAA')
    setAddresses('10.0.0.1')
    const stateDirectory = temporaryDirectory(t)
    const followed = follow(t, configOf(server, { record }), { stateDirectory })
    await shows(followed, '10.0.0.1:9100')
    const { state, reason, refused } = followed.discovery.status()
    assert.deepEqual([state, refused], ['good', { 'lookup-failed': 1 }])
    const remedy = record === 'srv' ? '' : '; set record: a where the name has IPv4 addresses only'
    assert.equal(reason, `Cannot look up ${ofName}: the server failed (asked ${server.address})${remedy}`)
    setAddresses('10.0.0.2', 'fd00::1')
    server.failingTypes.clear()
    await shows(followed, '10.0.0.2:9100', '[fd00::1]:9100')
    assert.equal(followed.discovery.status().reason, '')
    const told = followed.events.filter(({ message }) => message.includes('a part of its source only'))
    assert.deepEqual(
      told.map(({ fields }) => fields.reason),
      [reason],
    )
    // What a family had it keeps while it fails.
    server.failingTypes.add('AAAA')
    setAddresses('10.0.0.3')
    await shows(followed, '10.0.0.3:9100', '[fd00::1]:9100')
    server.failingTypes.add('A')
    await waitUntil('the source is lost', () => followed.discovery.status().state === 'lost')
    await followed.discovery.close()
    // And what it had before a restart.
    server.failingTypes.delete('A')
    const next = follow(t, configOf(server, { record }), { stateDirectory })
    await next.discovery.firstRead
    await shows(next, '10.0.0.3:9100', '[fd00::1]:9100')
    server.failingTypes.clear()
    setAddresses('10.0.0.3', '10.0.0.4')
    await shows(next, '10.0.0.3:9100', '10.0.0.4:9100')
  })
}

// They were believed for as long as the family failed: half of the clients came to another service.
test('startDiscovery() keeps no addresses of another name for a family that fails', async (t) => {
  const server = await DnsServer.start(t)
  server.records.set('old.test', [a('10.0.0.8'), a('fd00::8')])
  server.records.set('chat.test', [a('10.0.0.1')])
  const stateDirectory = temporaryDirectory(t)
  const before = follow(t, configOf(server, { host: 'old.test' }), { stateDirectory })
  await shows(before, '10.0.0.8:9100', '[fd00::8]:9100')
  await before.discovery.close()
  server.failingTypes.add('AAAA')
  const followed = follow(t, configOf(server, {}), { stateDirectory })
  await shows(followed, '10.0.0.1:9100')
})

// Each sixteen targets took seconds: the whole read had no end in time, and there was no backend.
test('startDiscovery() finds many targets of SRV records though nobody answers for their IPv6 addresses', async (t) => {
  const server = await DnsServer.start(t)
  const names = Array.from({ length: 100 }, (_, index) => `t${index}.test`)
  server.records.set(
    'chat.test',
    names.map((name) => srv(name, 9100, 0, 1)),
  )
  for (const [index, name] of names.entries()) server.records.set(name, [a(`10.0.0.${index + 1}`)])
  server.droppedTypes.add('AAAA')
  const followed = followName(t, server, { record: 'srv' })
  await waitUntil('all are found', () => followed.addresses().length === names.length)
  const { state, reason } = followed.discovery.status()
  assert.equal(state, 'good')
  assert.match(
    reason,
    /^Cannot look up the AAAA records of t\d+\.test, a target of chat\.test: no server answered in time/,
  )
})

// Records above maxMembers were cut off before anybody looked whether they were members: servers that answer in another
// order each time, as most do, exchanged backends at every read, and nothing was counted.
test('startDiscovery() keeps the same targets of SRV records above maxMembers, and counts the others', async (t) => {
  const server = await DnsServer.start(t)
  const services = [1, 2, 3, 4, 5, 6].map((index) => srv(`t${index}.test`, 9100, 0, 1))
  for (const index of [1, 2, 3, 4, 5, 6]) server.records.set(`t${index}.test`, [a(`10.0.0.${index}`)])
  server.records.set('chat.test', services.slice(3))
  const followed = followName(t, server, { record: 'srv', maxMembers: 3, intervalMs: 10, maxRemoval: 1 })
  await shows(followed, '10.0.0.4:9100', '10.0.0.5:9100', '10.0.0.6:9100')
  for (let turn = 0; turn < 12; turn++) {
    server.records.set('chat.test', [...services.slice(turn % 6), ...services.slice(0, turn % 6)])
    const before = server.questions
    await waitUntil('it has asked anew', () => server.questions > before + 20)
  }
  assert.equal(followed.lists.length, 1)
  assert.deepEqual(followed.discovery.status().refused, { 'too-many': 3 })
})

test('startDiscovery() refuses addresses of DNS that are no destination or not allowed', async (t) => {
  const server = await DnsServer.start(t)
  server.records.set('chat.test', [a('10.0.0.1'), a('0.0.0.0'), a('224.0.0.1'), a('192.0.2.1')])
  const allow = { networks: ['10.0.0.0/8'], ports: [] }
  const followed = followName(t, server, { allow })
  await shows(followed, '10.0.0.1:9100')
  assert.deepEqual(followed.discovery.status().refused, { 'no-destination': 2, network: 1 })
})

test('scaled() ranks priorities up to 15, and fits weights to 256 within each of them', () => {
  const record = (priority: number, weight: number) => ({ name: 'a', port: 1, priority, weight })
  const read = (records: ReturnType<typeof record>[]) =>
    scaled(records).map(({ priority, weight }) => [priority, weight])
  assert.deepEqual(read([record(5, 0), record(5, 200), record(900, 65_535), record(900, 32_768), record(900, 1)]), [
    [0, 1],
    [0, 200],
    [1, 256],
    [1, 128],
    [1, 1],
  ])
  assert.equal(read(Array.from({ length: 40 }, (_, index) => record(index, 1))).at(-1)?.[0], 15)
})
