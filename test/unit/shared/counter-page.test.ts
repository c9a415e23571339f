import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { CounterPage } from '#src/shared/counter-page.js'
import { runInThreads } from '../../helpers/threads.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

const TWO_32 = 2 ** 32

function createPage(counters: number): { page: CounterPage; words: Int32Array; memory: SharedArrayBuffer } {
  const memory = new SharedArrayBuffer(CounterPage.bytes(counters))
  return { page: new CounterPage(memory), words: new Int32Array(memory), memory }
}

test('CounterPage.add() sums whole numbers exactly, across 2^32 as well', () => {
  const amounts = fc.array(fc.integer({ min: 0, max: TWO_32 - 1 }), { maxLength: 40 })
  fc.assert(
    fc.property(amounts, (values) => {
      const { page } = createPage(3)
      for (const value of values) page.add(1, value)
      assert.equal(
        page.read(1),
        values.reduce((sum, value) => sum + value, 0),
      )
      assert.deepEqual([page.read(0), page.read(2)], [0, 0])
    }),
  )
})

test('CounterPage.add() carries at exactly 2^32', () => {
  const { page } = createPage(1)
  page.add(0, TWO_32 - 1)
  assert.equal(page.read(0), TWO_32 - 1)
  page.add(0, 1)
  assert.equal(page.read(0), TWO_32)
  page.add(0, TWO_32 - 1)
  page.add(0, 1)
  assert.equal(page.read(0), 2 * TWO_32)
})

test('CounterPage.read() is exact up to 2^53', () => {
  const { page, words } = createPage(1)
  words[2] = -1
  words[3] = 2 ** 21 - 1
  assert.equal(page.read(0), 2 ** 53 - 1)
})

test('CounterPage.read() sees no value half written while another thread carries', async (t) => {
  const { page, memory } = createPage(1)
  // Every second addition carries.
  const amount = 2 ** 31 + 12_345
  const times = 1_000_000
  const writer = runInThreads<number>(t, [{ type: 'add', page: memory, amount, times }])
  let reads = 0
  for (let last = 0; last < amount * times; ) {
    // The thread starts only while this one's loop turns.
    await new Promise((resolve) => setImmediate(resolve))
    for (let burst = 0; burst < 5000; burst++) {
      const value = page.read(0)
      if (value % amount !== 0 || value < last) assert.fail(`read ${value} after ${last}`)
      last = value
      reads++
    }
  }
  assert.deepEqual(await writer, [times])
  assert.ok(reads > 0)
})

test('CounterPage.read() waits until a carry that is open has ended', async (t) => {
  const { page, words, memory } = createPage(1)
  const ready = new SharedArrayBuffer(4)
  const thread = runInThreads<boolean>(t, [{ type: 'finishCarry', page: memory, ready }])
  await waitUntil('the thread is there', () => Atomics.load(new Int32Array(ready), 0) === 1)
  // 2^32 - 1 and 6 more: the low half is written, the high half is not.
  words[2] = 5
  Atomics.store(words, 0, 1)
  Atomics.notify(words, 0)
  assert.equal(page.read(0), TWO_32 + 5)
  await thread
})

test('CounterPage.clear() sets one counter to zero and leaves its neighbours', () => {
  const { page } = createPage(3)
  for (const counter of [0, 1, 2]) {
    page.add(counter, TWO_32 - 1)
    page.add(counter, 2)
  }
  page.clear(1)
  assert.deepEqual(
    [0, 1, 2].map((counter) => page.read(counter)),
    [TWO_32 + 1, 0, TWO_32 + 1],
  )
})

test('CounterPage.repair() ends a carry that its writer left open, so that reading ends', () => {
  const { page, words } = createPage(1)
  page.add(0, 7)
  words[0] = 1
  page.repair()
  assert.equal(page.read(0), 7)
  page.repair()
  assert.equal(words[0]! & 1, 0)
})
