import assert from 'node:assert/strict'
import test from 'node:test'
import { ACCESS_RECORD_BYTES, AccessField } from '#src/shared/access-record.js'
import { RECORD_RING_BYTES, RecordRing } from '#src/shared/record-ring.js'
import { runInThreads } from '../../helpers/threads.ts'

const CAPACITY = Math.floor(RECORD_RING_BYTES / ACCESS_RECORD_BYTES) - 1
const HEAD = 0
const TAIL = 1

function createRing(position = 0): { ring: RecordRing; memory: SharedArrayBuffer } {
  const memory = new SharedArrayBuffer(RECORD_RING_BYTES)
  const cells = new Int32Array(memory)
  cells[HEAD] = position
  cells[TAIL] = position
  return { ring: new RecordRing(memory), memory }
}

function write(ring: RecordRing, value: number): boolean {
  const base = ring.reserve()
  if (base < 0) return false
  ring.words.fill(value, base, base + ACCESS_RECORD_BYTES / 4)
  ring.publish()
  return true
}

/** The value of each record, after a look that all of its words have it. */
function read(ring: RecordRing, limit?: number): number[] {
  const values: number[] = []
  ring.drain((view, offset) => {
    const value = view.getUint32(offset + AccessField.generation, true)
    for (let at = 0; at < ACCESS_RECORD_BYTES; at += 4) assert.equal(view.getUint32(offset + at, true), value)
    values.push(value)
  }, limit)
  return values
}

test('RecordRing.drain() gives records in the order they were published, each once', () => {
  const { ring } = createRing()
  for (const value of [3, 1, 2]) write(ring, value)
  assert.deepEqual(read(ring), [3, 1, 2])
  assert.deepEqual(read(ring), [])
})

test('RecordRing.drain() gives no record that is reserved and not published', () => {
  const { ring } = createRing()
  ring.reserve()
  assert.deepEqual(read(ring), [])
})

test('RecordRing.drain() stops at its limit and goes on there', () => {
  const { ring } = createRing()
  for (let value = 0; value < 5; value++) write(ring, value)
  assert.deepEqual(read(ring, 2), [0, 1])
  assert.deepEqual(read(ring, 0), [])
  assert.deepEqual(read(ring), [2, 3, 4])
})

test('RecordRing.reserve() drops and counts when the ring is full, and keeps what is in it', () => {
  const { ring } = createRing()
  for (let value = 0; value < CAPACITY; value++) assert.ok(write(ring, value))
  assert.equal(write(ring, 77), false)
  assert.equal(write(ring, 78), false)
  assert.equal(ring.dropped(), 2)
  assert.deepEqual(read(ring, 1), [0])
  assert.equal(write(ring, 79), true)
  const rest = read(ring)
  assert.equal(rest.length, CAPACITY)
  assert.deepEqual([rest[0], rest.at(-1)], [1, 79])
})

for (const position of [0x7fff_fff0, -16]) {
  test(`RecordRing goes on when its positions pass ${position < 0 ? '2^32' : '2^31'}`, () => {
    const { ring } = createRing(position)
    for (let round = 0; round < 4; round++) {
      for (let value = 0; value < CAPACITY; value++) assert.ok(write(ring, value))
      assert.equal(write(ring, 0), false)
      assert.deepEqual(
        read(ring),
        Array.from({ length: CAPACITY }, (_, value) => value),
      )
    }
    assert.equal(ring.dropped(), 4)
  })
}

test('RecordRing carries every record that was not dropped, once and in order, from one thread to another', async (t) => {
  const { ring, memory } = createRing()
  const records = 300_000
  let isDone = false
  const writer = runInThreads<number[]>(t, [{ type: 'record', ring: memory, records }]).finally(() => {
    isDone = true
  })
  const seen: number[] = []
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve))
    seen.push(...read(ring, 1000))
  }
  const [dropped = []] = await writer
  for (let rest = read(ring); rest.length > 0; rest = read(ring)) seen.push(...rest)
  assert.equal(ring.dropped(), dropped.length)
  const lost = new Set(dropped)
  assert.deepEqual(
    seen,
    Array.from({ length: records }, (_, n) => n).filter((n) => !lost.has(n)),
  )
})
