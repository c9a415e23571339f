import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { scaled } from '#src/discovery/dns.js'
import type { DiscoveryConfig } from '#src/model/config.js'
import { discoveryBase, type Followed, follow } from '../../helpers/discovery-maker.ts'
import { type DnsRecord, DnsServer } from '../../helpers/dns-server.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

type DnsConfig = Extract<DiscoveryConfig, { type: 'dns' }>

function followName(t: TestContext, server: DnsServer, changes: Partial<DnsConfig> = {}): Followed {
  const names = { host: 'chat.test', record: 'address', port: 9100, resolvers: [server.address] } as const
  return follow(t, { ...discoveryBase, type: 'dns', ...names, ...changes })
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
