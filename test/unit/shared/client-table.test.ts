import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { ClientKey } from '#src/shared/client-key.js'
import { type ClientEntry, ClientTable, createClientTableMemory, MAX_CLIENTS } from '#src/shared/client-table.js'
import { type HammerResult, isWhole, setClient } from '../../helpers/client-table-job.ts'
import { runInThreads } from '../../helpers/threads.ts'

const secret = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const forever = Number.POSITIVE_INFINITY
const HEADER_WORDS = 16
const BUCKET_WORDS = 144

function createTable(capacity = 64) {
  const memory = createClientTableMemory(secret, capacity)
  return { memory, table: new ClientTable(memory, 1), words: new Int32Array(memory) }
}

function client(number: number): ClientKey {
  const key = new ClientKey()
  setClient(key, number)
  return key
}

function clientOf(key: ClientKey): number {
  return (key.bytes[13]! << 16) | (key.bytes[14]! << 8) | key.bytes[15]!
}

function entriesOf(table: ClientTable): ClientEntry[] {
  const entries: ClientEntry[] = []
  assert.ok(table.scan(0, table.buckets, (entry) => entries.push(entry)))
  return entries
}

function backendOf(table: ClientTable, key: ClientKey, nowMs = 0, ttlMs = forever): readonly number[] | undefined {
  return table.find(key, nowMs, ttlMs) ? [table.row, table.incarnation] : undefined
}

/** The bucket of a client, found by what changes when it is remembered. */
function bucketOf(key: ClientKey): number {
  const { table, words } = createTable()
  table.remember(key, 0, 0, 0)
  const tags = Array.from({ length: table.buckets }, (_, n) => words[HEADER_WORDS + n * BUCKET_WORDS + 4])
  return tags.findIndex((tag) => tag !== 0)
}

test('ClientTable.find() answers with the backend that was remembered last, until its ttl is over', () => {
  const { table } = createTable()
  table.remember(client(1), 7, 70, 1000)
  table.remember(client(2), 8, 80, 1000)
  assert.deepEqual(backendOf(table, client(1), 1999, 1000), [7, 70])
  assert.equal(backendOf(table, client(1), 2000, 1000), undefined)
  table.remember(client(1), 9, 90, 1500)
  assert.deepEqual(backendOf(table, client(1), 2499, 1000), [9, 90])
  assert.deepEqual(backendOf(table, client(2), 1000, 1000), [8, 80])
  assert.equal(backendOf(table, client(3)), undefined)
})

test('ClientTable.find() does not renew an entry', () => {
  const { table } = createTable()
  table.remember(client(1), 7, 70, 0)
  assert.ok(table.find(client(1), 900, 1000))
  assert.equal(table.find(client(1), 1100, 1000), false)
})

test('ClientTable.find() tells the same address in two upstreams apart', () => {
  const { table } = createTable()
  const keys = [0, 1].map((row) => {
    const key = new ClientKey()
    key.setIpv4(row, Uint8Array.of(192, 0, 2, 1), 0, { ipv4: 32, ipv6: 64 })
    return key
  })
  table.remember(keys[0]!, 5, 1, 0)
  assert.equal(backendOf(table, keys[1]!), undefined)
  assert.deepEqual(backendOf(table, keys[0]!), [5, 1])
})

test('ClientTable.find() tells clients apart whose hashes are the same, by address and by upstream', () => {
  const keyOf = (upstreamRow: number, last: number) => {
    const key = new ClientKey()
    key.setIpv4(upstreamRow, Uint8Array.of(192, 0, 2, last), 0, { ipv4: 32, ipv6: 64 })
    return key
  }
  for (const other of [keyOf(1, 2), keyOf(2, 1)]) {
    const { table, words } = createTable(1)
    const key = keyOf(1, 1)
    table.remember(key, 5, 5, 0)
    const tag = words[HEADER_WORDS + 4]!
    table.remember(other, 6, 6, 0)
    // The other's slot comes first in turn, and its tag is that of the key.
    words.copyWithin(HEADER_WORDS + 16, HEADER_WORDS + 32, HEADER_WORDS + 48)
    assert.equal(backendOf(table, key), undefined)
    assert.equal(words[HEADER_WORDS + 4], tag)
    table.remember(key, 7, 7, 0)
    assert.deepEqual(backendOf(table, key), [7, 7])
  }
})

interface Known {
  readonly row: number
  readonly lastUseMs: number
}

const buckets = Array.from({ length: 61 }, (_, number) => bucketOf(client(number)))

/** What a table must do, as a map. */
class Model {
  readonly known = new Map<number, Known>()
  readonly #mask: number

  constructor({ buckets }: ClientTable) {
    this.#mask = buckets - 1
  }

  /** Follows the table in whom it forgot: of those that were not seen for longest, any. False where nobody may go. */
  makeRoom(number: number, beforeMs: number, isGone: (other: number) => boolean): boolean {
    const others = [...this.known].filter(([other]) => ((buckets[other]! ^ buckets[number]!) & this.#mask) === 0)
    if (others.length < 8) return true
    const oldestMs = Math.min(...others.map(([, { lastUseMs }]) => lastUseMs))
    if (oldestMs >= beforeMs) return false
    const gone = others.filter(([other]) => isGone(other))
    assert.deepEqual(
      gone.map(([, { lastUseMs }]) => lastUseMs),
      [oldestMs],
    )
    return this.known.delete(gone[0]![0])
  }

  lines(): string[] {
    return [...this.known].map(([number, { row, lastUseMs }]) => `${number} ${row} ${row ^ number} ${lastUseMs}`).sort()
  }
}

test('ClientTable answers as a map does, and forgets only who was not seen for longest in a full bucket', () => {
  const step = fc.record({
    kind: fc.constantFrom('find', 'remember', 'remember', 'restore'),
    number: fc.nat(60),
    row: fc.nat(65_535),
    pauseMs: fc.nat(5),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 100, maxLength: 300 }), (steps) => {
      const { table } = createTable(8)
      const model = new Model(table)
      const isGone = (other: number) => !table.find(client(other), 0, forever)
      let nowMs = 100
      for (const { kind, number, row, pauseMs } of steps) {
        nowMs += pauseMs
        const entry = model.known.get(number)
        if (kind === 'find') {
          const isFresh = entry !== undefined && nowMs - entry.lastUseMs < 50
          const answer = backendOf(table, client(number), nowMs, 50)
          assert.deepEqual(answer, isFresh ? [entry.row, entry.row ^ number] : undefined)
          continue
        }
        const lastUseMs = kind === 'remember' ? nowMs : nowMs - 10
        const isIn = table[kind](client(number), row, row ^ number, lastUseMs)
        const hasRoom = entry !== undefined || model.makeRoom(number, kind === 'remember' ? forever : lastUseMs, isGone)
        assert.equal(isIn, kind === 'remember' || (entry === undefined && hasRoom))
        if (isIn) model.known.set(number, { row, lastUseMs })
      }
      const lines = entriesOf(table).map((e) => `${clientOf(e.key)} ${e.row} ${e.incarnation} ${e.lastUseMs}`)
      assert.deepEqual(lines.sort(), model.lines())
    }),
  )
})

test('ClientTable.remember() makes room in a full bucket, and takes only from that bucket', () => {
  const { table } = createTable(1)
  assert.equal(table.buckets, 1)
  for (let number = 0; number < 100; number++) table.remember(client(number), number, 0, number)
  assert.deepEqual(
    entriesOf(table)
      .map(({ row }) => row)
      .sort(),
    [92, 93, 94, 95, 96, 97, 98, 99],
  )
})

test('ClientTable keeps nearly every client while there are as many as its capacity', () => {
  const table = new ClientTable(createClientTableMemory(secret, 65_536), 1)
  for (let number = 0; number < 65_536; number++) table.remember(client(number), 1, 1, number)
  const kept = Array.from({ length: 65_536 }, (_, number) => number).filter((number) =>
    table.find(client(number), 0, forever),
  )
  assert.ok(kept.length > 0.98 * 65_536, `${kept.length} of 65536`)
})

test('ClientTable.scan() shows the clients of the buckets that were asked for, and no others', () => {
  const { table } = createTable()
  for (let number = 0; number < 30; number++) table.remember(client(number), number, 0, 0)
  const seen: number[] = []
  for (let n = 0; n < table.buckets; n += 3) {
    table.scan(n, 3, ({ key, row }) => {
      assert.equal(clientOf(key), row)
      assert.ok(buckets[row]! >= n && buckets[row]! < n + 3)
      seen.push(row)
    })
  }
  assert.equal(new Set(seen).size, 30)
})

test('ClientTable.forgetUpstream() forgets the clients of that upstream and of no other', () => {
  const { table } = createTable()
  for (let number = 0; number < 28; number++) table.remember(client(number), number, 0, 0)
  assert.ok(table.forgetUpstream(3))
  const left = entriesOf(table).map(({ row }) => row)
  assert.deepEqual(
    left.sort((a, b) => a - b),
    Array.from({ length: 28 }, (_, number) => number).filter((number) => number % 7 !== 3),
  )
})

test('ClientTable does without a bucket that is held, at once, and serves all others', () => {
  const { table, words } = createTable()
  const [held, other] = [client(0), client(buckets.findIndex((bucket) => bucket !== buckets[0]))]
  table.remember(held, 4, 4, 0)
  words[HEADER_WORDS + buckets[0]! * BUCKET_WORDS] = 9
  assert.equal(table.find(held, 0, forever), false)
  assert.equal(table.remember(held, 5, 5, 0), false)
  assert.equal(table.restore(held, 5, 5, 0), false)
  assert.equal(table.forgetUpstream(0), false)
  assert.equal(
    table.scan(0, table.buckets, () => {}),
    false,
  )
  assert.ok(table.remember(other, 6, 6, 0))
  assert.deepEqual(backendOf(table, other), [6, 6])
})

test('ClientTable.release() frees what a dead thread held and forgets it, and leaves what others hold', () => {
  const { table, words } = createTable()
  const numbers = [0, 1, 2].map((n) => buckets.indexOf([...new Set(buckets)][n]!))
  for (const number of numbers) table.remember(client(number), 5, 5, 0)
  const lockOf = (number: number) => HEADER_WORDS + buckets[number]! * BUCKET_WORDS
  words[lockOf(numbers[0]!)] = 3
  words[lockOf(numbers[1]!)] = 4
  // Half written: the backend's row is there, and not yet whose it is.
  words[lockOf(numbers[0]!) + 16 + 5] = 77
  assert.equal(table.release(3), 1)
  assert.equal(table.find(client(numbers[0]!), 0, forever), false)
  assert.ok(table.remember(client(numbers[0]!), 6, 6, 0))
  assert.deepEqual(backendOf(table, client(numbers[0]!)), [6, 6])
  assert.equal(words[lockOf(numbers[1]!)], 4)
  assert.deepEqual(backendOf(table, client(numbers[2]!)), [5, 5])
  assert.equal(table.release(3), 0)
})

test('ClientTable gives each thread whole entries only while threads hammer few buckets and one of them dies', async (t) => {
  const { memory, table, words } = createTable(32)
  const [clients, rounds, stop] = [300, 300_000, new SharedArrayBuffer(4)]
  const jobs = [2, 3, 4].map((lockerId) => ({
    type: 'hammer' as const,
    table: memory,
    lockerId,
    clients,
    rounds,
    stop,
  }))
  let isDone = false
  const threads = runInThreads<HammerResult>(t, jobs).finally(() => {
    isDone = true
  })
  let [seen, deaths] = [0, 0]
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve))
    table.scan(0, table.buckets, ({ key, row, incarnation, lastUseMs }) => {
      assert.ok(isWhole(clientOf(key), row, incarnation, lastUseMs))
      seen++
    })
    // A thread that dies with a bucket in its hands and a slot half written.
    const bucket = HEADER_WORDS + (deaths % table.buckets) * BUCKET_WORDS
    if (Atomics.compareExchange(words, bucket, 0, 99) !== 0) continue
    words[bucket + 16 + 5] = 12_345
    assert.equal(table.release(99), 1)
    deaths++
  }
  const results = await threads
  assert.deepEqual(
    results.map(({ wrong }) => wrong),
    [0, 0, 0],
  )
  assert.ok(results.every(({ found, remembered, restored }) => found > 0 && remembered > 0 && restored > 0))
  assert.ok(seen > 0 && deaths > 0)
  for (let n = 0; n < table.buckets; n++) assert.equal(words[HEADER_WORDS + n * BUCKET_WORDS], 0)
  for (const { key, row, incarnation, lastUseMs } of entriesOf(table)) {
    assert.ok(isWhole(clientOf(key), row, incarnation, lastUseMs))
  }
})

test('createClientTableMemory() takes no memory for what is not touched, by scans neither, and refuses sizes past its maximum', () => {
  const before = process.memoryUsage().rss
  const memory = createClientTableMemory(secret, MAX_CLIENTS)
  const table = new ClientTable(memory, 1)
  for (let number = 0; number < 1000; number++) table.remember(client(number), 1, 1, 1)
  assert.equal(entriesOf(table).length, 1000)
  assert.equal(table.release(5), 0)
  assert.ok(memory.byteLength <= 152 * MAX_CLIENTS)
  assert.ok(process.memoryUsage().rss - before < 32 * 2 ** 20)
  for (const capacity of [0, -1, MAX_CLIENTS + 1, Number.NaN]) {
    assert.throws(() => createClientTableMemory(secret, capacity), RangeError)
  }
  assert.throws(() => createClientTableMemory(secret.subarray(1), 64), RangeError)
})
