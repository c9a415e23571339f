import assert from 'node:assert/strict'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { createRedisHash } from '#src/control/redis-hash.js'
import { createStickyFile } from '#src/control/sticky-file.js'
import { createStickyHash } from '#src/control/sticky-hash.js'
import { StickyPersistence } from '#src/control/sticky-persistence.js'
import { type StickyRecord, setClientText } from '#src/control/sticky-record.js'
import type { StickyStore } from '#src/control/sticky-store.js'
import { ClientKey } from '#src/shared/client-key.js'
import { ClientTable, createClientTableMemory } from '#src/shared/client-table.js'
import { needs } from '../../helpers/peers.ts'
import { RedisServer } from '../../helpers/redis-server.ts'
import { batchesOf, chat, collect, namesOver, record, recordingLog } from '../../helpers/sticky-setup.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

/** One life of the process: a table of its own, and rows as they happen to be given out. */
function begin(store: StickyStore, rows: Record<string, [row: number, incarnation: number]>, intervalMs = 60_000) {
  const clock = { nowMs: 10_000, wallMs: Date.now() }
  const backends = new Map(Object.entries(rows).map(([name, [row, incarnation]]) => [name, { row, incarnation }]))
  const memory = createClientTableMemory(new Uint8Array(8), 1024)
  const table = new ClientTable(memory, 1)
  const { log, messages } = recordingLog()
  const upstreamNames = () => [chat.name]
  const parts = { table, names: namesOver(backends), store, upstreamNames, log, intervalMs }
  const persistence = new StickyPersistence({ ...parts, nowMs: () => clock.nowMs, wallClockMs: () => clock.wallMs })
  const key = (client: string) => {
    const key = new ClientKey()
    setClientText(key, chat.row, client, chat.sourcePrefix)
    return key
  }
  return {
    clock,
    backends,
    words: new Int32Array(memory),
    messages,
    persistence,
    remember: (client: string, name: string) => {
      const { row, incarnation } = backends.get(name)!
      assert.ok(table.remember(key(client), row, incarnation, clock.nowMs))
    },
    backendOf: (client: string) => {
      if (!table.find(key(client), clock.nowMs, chat.ttlMs)) return undefined
      return [...backends].find(([, b]) => b.row === table.row && b.incarnation === table.incarnation)?.[0]
    },
  }
}

function fileIn(t: test.TestContext): { path: string; store: StickyStore } {
  const path = join(temporaryDirectory(t), 'sticky')
  return { path, store: createStickyFile(path, recordingLog().log) }
}

const everyStore: Record<string, (t: test.TestContext) => Promise<StickyStore>> = {
  'a file': async (t) => fileIn(t).store,
  Redis: async (t) => {
    const redis = await RedisServer.start(t)
    const options = { name: 'Redis', maxFields: 1000, log: recordingLog().log, wallClockMs: () => Date.now() }
    return createStickyHash(createRedisHash(redis.client, 'k'), options)
  },
}

for (const [where, open] of Object.entries(everyStore)) {
  const options = where === 'Redis' ? needs('redis-server') : {}

  test(
    `StickyPersistence brings clients back to their backends after a restart, by name, from ${where}`,
    options,
    async (t) => {
      const store = await open(t)
      const first = begin(store, { a: [1, 1], b: [2, 2] })
      await first.persistence.start([chat])
      for (let n = 0; n < 700; n++) first.remember(`10.0.${n >> 8}.${n & 255}`, n % 2 === 0 ? 'a' : 'b')
      first.remember('2001:db8:1:2:3::', 'b')
      assert.ok(await first.persistence.stop())
      const second = begin(store, { b: [1, 9], a: [7, 4] })
      await second.persistence.start([chat])
      for (let n = 0; n < 700; n++) {
        assert.equal(second.backendOf(`10.0.${n >> 8}.${n & 255}`), n % 2 === 0 ? 'a' : 'b')
      }
      assert.equal(second.backendOf('2001:db8:1:2:ffff::1'), 'b')
      await second.persistence.stop()
    },
  )

  test(
    `StickyPersistence counts the ttl from the last connection, the time in between included, with ${where}`,
    options,
    async (t) => {
      const store = await open(t)
      const first = begin(store, { a: [1, 1] })
      await first.persistence.start([chat])
      first.remember('10.0.0.1', 'a')
      first.clock.nowMs += 20_000
      first.clock.wallMs += 20_000
      first.remember('10.0.0.2', 'a')
      assert.ok(await first.persistence.stop())
      const second = begin(store, { a: [1, 1] })
      second.clock.nowMs = 5
      second.clock.wallMs = first.clock.wallMs + 30_000
      await second.persistence.start([chat])
      assert.deepEqual([second.backendOf('10.0.0.1'), second.backendOf('10.0.0.2')], ['a', 'a'])
      second.clock.nowMs += 9_990
      assert.deepEqual([second.backendOf('10.0.0.1'), second.backendOf('10.0.0.2')], ['a', 'a'])
      second.clock.nowMs += 20
      assert.deepEqual([second.backendOf('10.0.0.1'), second.backendOf('10.0.0.2')], [undefined, 'a'])
      await second.persistence.stop()
    },
  )

  test(
    `StickyPersistence keeps what it cannot place over restarts, until its backend is known, in ${where}`,
    options,
    async (t) => {
      const store = await open(t)
      const first = begin(store, { a: [1, 1], b: [2, 2] })
      await first.persistence.start([chat])
      first.remember('10.0.0.1', 'a')
      await first.persistence.stop()
      const second = begin(store, { b: [1, 1] })
      await second.persistence.start([chat])
      assert.equal(second.persistence.waiting, 1)
      second.remember('10.0.0.2', 'b')
      assert.ok(await second.persistence.stop())
      const third = begin(store, { b: [1, 1] }, 10)
      await third.persistence.start([chat])
      assert.deepEqual([third.backendOf('10.0.0.1'), third.backendOf('10.0.0.2')], [undefined, 'b'])
      third.backends.set('a', { row: 5, incarnation: 3 })
      await waitUntil('the client is placed', () => third.backendOf('10.0.0.1') === 'a')
      assert.equal(third.persistence.waiting, 0)
      await third.persistence.stop()
    },
  )
}

test('StickyPersistence.start() leaves a client where it is that came back before it was read', async (t) => {
  const { store } = fileIn(t)
  await store.save(batchesOf([record('10.0.0.1', 'a'), record('10.0.0.2', 'a'), record('10.0.0.3', 'c')]))
  const life = begin(store, { a: [1, 1], b: [2, 2] }, 10)
  life.remember('10.0.0.1', 'b')
  await life.persistence.start([chat])
  assert.deepEqual([life.backendOf('10.0.0.1'), life.backendOf('10.0.0.2')], ['b', 'a'])
  life.remember('10.0.0.3', 'b')
  life.backends.set('c', { row: 3, incarnation: 3 })
  await waitUntil('nobody waits', () => life.persistence.waiting === 0)
  assert.equal(life.backendOf('10.0.0.3'), 'b')
  await life.persistence.stop()
})

test('StickyPersistence.start() takes no time past the ttl from a record, and none that is over', async (t) => {
  const { store } = fileIn(t)
  const records = [
    record('10.0.0.1', 'a', Number.MAX_SAFE_INTEGER),
    record('10.0.0.2', 'a', 1),
    record('10.0.0.3', 'x', 1),
  ]
  await store.save(batchesOf(records))
  const life = begin(store, { a: [1, 1] })
  await life.persistence.start([chat])
  assert.equal(life.persistence.waiting, 0)
  assert.equal(life.backendOf('10.0.0.2'), undefined)
  life.clock.nowMs += chat.ttlMs - 1
  assert.equal(life.backendOf('10.0.0.1'), 'a')
  life.clock.nowMs += 1
  assert.equal(life.backendOf('10.0.0.1'), undefined)
  await life.persistence.stop()
})

test('StickyPersistence saves while it runs when something changed, and leaves the file alone when nothing did', async (t) => {
  const { path, store } = fileIn(t)
  const life = begin(store, { a: [1, 1] }, 10)
  await life.persistence.start([chat])
  assert.equal(statSync(path, { throwIfNoEntry: false }), undefined)
  life.remember('10.0.0.1', 'a')
  await waitUntil('it is saved', () => statSync(path, { throwIfNoEntry: false }) !== undefined)
  life.clock.nowMs += 5000
  // What was used just before a save is saved again with the next.
  await life.persistence.stop()
  const before = statSync(path).ino
  assert.ok(await life.persistence.stop())
  assert.equal(statSync(path).ino, before)
  assert.match(readFileSync(path, 'utf8'), /\["chat","10\.0\.0\.1","a",\d+\]\n$/)
})

test('StickyPersistence saves the clients of a backend that went before the next save under its name', async (t) => {
  const { store } = fileIn(t)
  const life = begin(store, { a: [1, 1], b: [2, 2] })
  await life.persistence.start([chat])
  life.remember('10.0.0.1', 'a')
  life.backends.delete('a')
  life.backends.set('c', { row: 1, incarnation: 3 })
  life.remember('10.0.0.2', 'b')
  assert.ok(await life.persistence.stop())
  const saved = (await collect(store.load())).map(({ client, backend }) => `${client} ${backend}`)
  assert.deepEqual(saved.sort(), ['10.0.0.1 a', '10.0.0.2 b'])
})

test('StickyPersistence neither saves nor forgets over a store that it could not read', async (t) => {
  const { store } = fileIn(t)
  await store.save(batchesOf([record('10.0.0.1', 'a')]))
  let [isBroken, tries] = [true, 0]
  const flaky: StickyStore = {
    takes: 'all',
    load: async function* (): AsyncIterable<readonly StickyRecord[]> {
      tries++
      if (isBroken) throw new Error('an I/O error')
      yield* store.load()
    },
    save: (batches) => store.save(batches),
  }
  const life = begin(flaky, { a: [1, 1], b: [2, 2] }, 10)
  await life.persistence.start([chat])
  life.remember('10.0.0.2', 'b')
  await waitUntil('it was tried again', () => tries > 2)
  assert.deepEqual(sortedClients(await collect(store.load())), ['10.0.0.1'])
  assert.equal(life.messages.length, 1)
  isBroken = false
  await waitUntil('it is read', () => life.backendOf('10.0.0.1') === 'a')
  assert.ok(await life.persistence.stop())
  assert.deepEqual(sortedClients(await collect(store.load())), ['10.0.0.1', '10.0.0.2'])
  assert.deepEqual(
    life.messages.map((message) => message.replace(/ \{.*| $/, '')),
    ['Sticky entries are not saved for now', 'Sticky entries are saved again'],
  )
})

test('StickyPersistence writes to Redis what changed only, and again what failed', needs('redis-server'), async (t) => {
  const redis = await RedisServer.start(t, { client: { maxRetriesPerRequest: 0 } })
  const options = { name: 'Redis', maxFields: 1000, log: recordingLog().log, wallClockMs: () => Date.now() }
  const store = createStickyHash(createRedisHash(redis.client, 'k', { timeoutMs: 500 }), options)
  let saves = 0
  const counted: StickyStore = { ...store, save: (batches) => store.save(batches).finally(() => saves++) }
  const life = begin(counted, { a: [1, 1] }, 10)
  await life.persistence.start([chat])
  life.remember('10.0.0.1', 'a')
  await waitUntil('it is saved', async () => (await redis.client.hlen('k')) === 1)
  life.clock.nowMs += 5000
  const savesBefore = saves
  // The one that may be running, and one that begins after the clock moved on.
  await waitUntil('rounds pass', () => saves > savesBefore + 1)
  await redis.client.del('k')
  life.remember('10.0.0.2', 'a')
  await waitUntil('it is saved', async () => (await redis.client.hlen('k')) === 1)
  assert.deepEqual(await redis.client.hkeys('k'), ['chat 10.0.0.2'])
  await redis.kill()
  await waitUntil('the log says so', () => life.messages.length === 1)
  life.remember('10.0.0.3', 'a')
  life.clock.nowMs += 50_000
  await redis.start()
  await waitUntil('it is saved', async () => (await redis.client.hexists('k', 'chat 10.0.0.3')) === 1)
  assert.ok(await life.persistence.stop())
  assert.equal(life.messages.length, 2)
})

test('StickyPersistence saves later what a thread held when it was the turn to save it', async () => {
  const saved: string[] = []
  let saves = 0
  const store: StickyStore = {
    takes: 'changes',
    load: async function* () {},
    save: async (batches) => {
      saved.push(...(await collect(batches)).map(({ client }) => client))
      saves++
    },
  }
  const life = begin(store, { a: [1, 1] }, 10)
  const before = Int32Array.from(life.words)
  life.remember('10.0.0.1', 'a')
  // The bucket's header is the 16 words before the first one of its slot, which is the upstream's row.
  const slot = life.words.findIndex((word, at) => word === chat.row && before[at] === 0)
  const lock = slot - 16
  life.words[lock] = 99
  await life.persistence.start([chat])
  life.clock.nowMs += 5000
  const held = saves
  await waitUntil('rounds pass', () => saves > held + 1)
  assert.deepEqual(saved, [])
  life.words[lock] = 0
  await waitUntil('it is saved', () => saved.length > 0)
  assert.ok(await life.persistence.stop())
})

test('StickyPersistence.start() saves whole what the table has by then, and nothing of what it reads', async () => {
  const { store, saved } = changesStore([record('10.0.0.9', 'a', Date.now() + 20_000)])
  const first = begin(store, { a: [1, 1] })
  await first.persistence.start([chat])
  assert.equal(first.backendOf('10.0.0.9'), 'a')
  assert.ok(await first.persistence.stop())
  assert.equal(saved.join(), '')
  const second = begin(store, { a: [1, 1] })
  second.remember('10.0.0.1', 'a')
  second.clock.nowMs += 30_000
  await second.persistence.start([chat])
  assert.ok(saved.includes('10.0.0.1 a'))
  saved.length = 0
  assert.ok(await second.persistence.stop())
  assert.deepEqual(saved, [], 'once is enough')
})

test('StickyPersistence.takeIn() reads and saves whole what comes in later, with what waited elsewhere', async () => {
  const { store, saved } = changesStore([record('10.0.0.9', 'a', Date.now() + 20_000)])
  const life = begin(store, { a: [1, 1] })
  await life.persistence.start([])
  life.remember('10.0.0.1', 'a')
  life.clock.nowMs += 30_000
  assert.equal(saved.join(), '')
  await life.persistence.takeIn([chat], [record('10.0.0.2', 'b')])
  assert.ok(saved.includes('10.0.0.1 a') && saved.includes('10.0.0.2 b'), saved.join())
  assert.deepEqual(
    life.persistence.waitingOf('chat').map(({ client }) => client),
    ['10.0.0.2'],
  )
  assert.ok(await life.persistence.stop())
})

test('StickyPersistence.start() saves the clients of a backend that is gone by then under its name', async () => {
  const { store, saved } = changesStore([])
  const life = begin(store, { a: [1, 1] })
  life.remember('10.0.0.1', 'a')
  life.backends.delete('a')
  await life.persistence.start([chat])
  assert.deepEqual(saved, ['10.0.0.1 a'])
  await life.persistence.stop()
})

test('StickyPersistence.stop() waits no longer than it is told for a store that hangs', async () => {
  const hanging: StickyStore = { takes: 'changes', load: async function* () {}, save: () => new Promise(() => {}) }
  const life = begin(hanging, { a: [1, 1] })
  void life.persistence.start([chat])
  assert.equal(await life.persistence.stop(50), false)
})

test('StickyPersistence starts with whatever lies in place of its file, says so once, and uses the place once it is free', async (t) => {
  const { path, store } = fileIn(t)
  const foreign = Buffer.from(Array.from({ length: 5000 }, (_, n) => (n * 31) & 255))
  writeFileSync(path, foreign)
  let tries = 0
  const counted: StickyStore = {
    ...store,
    load() {
      tries++
      return store.load()
    },
  }
  const life = begin(counted, { a: [1, 1] }, 10)
  await life.persistence.start([chat])
  life.remember('10.0.0.1', 'a')
  await waitUntil('it was tried again', () => tries > 2)
  assert.deepEqual(readFileSync(path), foreign)
  assert.equal(life.messages.length, 1)
  rmSync(path)
  await waitUntil('it is saved', async () => (await collect(store.load())).length === 1)
  assert.ok(await life.persistence.stop())
})

/** A store that notes what it is given, as client and backend, and reads back what it began with. */
function changesStore(stored: readonly StickyRecord[]): { store: StickyStore; saved: string[] } {
  const saved: string[] = []
  const store: StickyStore = {
    takes: 'changes',
    load: () => batchesOf([...stored]),
    save: async (batches) => {
      saved.push(...(await collect(batches)).map(({ client, backend }) => `${client} ${backend}`))
    },
  }
  return { store, saved }
}

function sortedClients(records: readonly StickyRecord[]): string[] {
  return records.map(({ client }) => client).sort()
}
