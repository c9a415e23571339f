import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { ChunkPool } from '#src/dataplane/chunk-pool.js'
import type { Kernel } from '#src/kernel/kernel.js'

const CHUNK_BYTES = 256

/** A kernel of which a pool uses the addresses only: slabs lie far apart. */
function createPool(chunks: number): { pool: ChunkPool; slabs: Uint8Array[] } {
  const slabs: Uint8Array[] = []
  const kernel = { addressOf: (memory: Uint8Array) => slabs.push(memory) * 1e9 } as unknown as Kernel
  return { pool: new ChunkPool(kernel, CHUNK_BYTES, chunks * CHUNK_BYTES), slabs }
}

test('ChunkPool takes no memory before the first chunk is taken', () => {
  const { pool, slabs } = createPool(100)
  assert.equal(slabs.length, 0)
  assert.deepEqual([pool.used, pool.available], [0, 100])
  pool.take()
  assert.equal(slabs.length, 1)
  assert.deepEqual([pool.used, pool.available], [1, 99])
})

test('ChunkPool.take() gives the chunk that was given back last', () => {
  const { pool } = createPool(100)
  const [a, b] = [pool.take(), pool.take()]
  pool.give(a)
  pool.give(b)
  assert.deepEqual([pool.take(), pool.take()], [b, a])
})

test('ChunkPool counts whole chunks of its limit', () => {
  const { pool } = createPool(0)
  pool.setLimit(3 * CHUNK_BYTES - 1)
  assert.equal(pool.available, 2)
})

test('ChunkPool.setLimit() below what is in use leaves none available until enough is given back', () => {
  const { pool } = createPool(4)
  const chunks = [pool.take(), pool.take(), pool.take()]
  pool.setLimit(2 * CHUNK_BYTES)
  assert.equal(pool.available, 0)
  pool.give(chunks[0]!)
  assert.equal(pool.available, 0)
  pool.give(chunks[1]!)
  assert.equal(pool.available, 1)
})

test('ChunkPool.scarce begins when less than an eighth of the limit is left', () => {
  const { pool } = createPool(16)
  for (let n = 0; n < 14; n++) pool.take()
  assert.equal(pool.scarce, false)
  const last = pool.take()
  assert.equal(pool.scarce, true)
  pool.give(last)
  assert.equal(pool.scarce, false)
})

test('ChunkPool never gives a chunk twice, and chunks never overlap', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 400 }), (steps) => {
      const { pool, slabs } = createPool(1000)
      const taken: number[] = []
      for (const takes of steps) {
        if (takes) taken.push(pool.take())
        else if (taken.length > 0) pool.give(taken.splice(taken.length >> 1, 1)[0]!)
        assert.equal(pool.used, taken.length)
      }
      assert.equal(new Set(taken).size, taken.length)
      const addresses = taken.map((chunk) => pool.addressOf(chunk)).sort((a, b) => a - b)
      addresses.forEach((address, i) => {
        const slab = slabs[Math.floor(address / 1e9) - 1]!
        assert.ok((address % 1e9) + CHUNK_BYTES <= slab.length)
        if (i > 0) assert.ok(address - addresses[i - 1]! >= CHUNK_BYTES)
      })
    }),
  )
})

test('ChunkPool.link() makes a list, and a chunk that was taken again ends one', () => {
  const { pool } = createPool(10)
  const [a, b] = [pool.take(), pool.take()]
  assert.equal(pool.next(a), -1)
  pool.link(a, b)
  assert.equal(pool.next(a), b)
  pool.give(a)
  assert.equal(pool.next(pool.take()), -1)
})
