import assert from 'node:assert/strict'
import test from 'node:test'
import { keyedHash } from '#src/shared/keyed-hash.js'

test('keyedHash() answers as HalfSipHash-1-3 does for the bytes 0, 1, 2, … under the secret 00 01 … 07', () => {
  const words = new Int32Array(Uint8Array.from({ length: 20 }, (_, i) => i).buffer)
  const answers = [0x5814_c896, 0x7e05_9ea6, 0x5779_99b1, 0x6b28_096c, 0x8b31_d501, 0x911b_b605]
  answers.forEach((answer, count) => {
    assert.equal(keyedHash(words, count, 0x0302_0100, 0x0706_0504) >>> 0, answer)
  })
})

test('keyedHash() spreads neighbours evenly, and otherwise under another secret', () => {
  const words = new Int32Array(5)
  const spread = (secret: number) =>
    Array.from({ length: 8192 }, (_, n) => {
      words[4] = n
      return keyedHash(words, 5, secret, 99) & 1023
    })
  const counts = new Array<number>(1024).fill(0)
  for (const bucket of spread(1)) counts[bucket]! += 1
  assert.ok(Math.max(...counts) < 30, `${Math.max(...counts)} of 8192 in one of 1024 buckets`)
  const other = spread(2)
  assert.ok(spread(1).filter((bucket, n) => bucket === other[n]).length < 40)
})
