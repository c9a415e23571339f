import assert from 'node:assert/strict'
import test from 'node:test'
import { seededRandom } from '#src/balance/seeded-random.js'
import { unevenness } from './setup.ts'

test('seededRandom() gives numbers from 0 to below 1, evenly, one by one and in pairs', () => {
  for (const seed of [0, 1, -1, 0x7fff_ffff]) {
    const random = seededRandom(seed)
    const single = new Array<number>(100).fill(0)
    const pairs = new Array<number>(256).fill(0)
    for (let n = 0; n < 50_000; n++) {
      const [one, other] = [random(), random()]
      assert.ok(one >= 0 && one < 1)
      single[Math.floor(one * 100)]! += 1
      pairs[16 * Math.floor(one * 16) + Math.floor(other * 16)]! += 1
    }
    for (const counts of [single, pairs]) assert.ok(unevenness(counts, new Array(counts.length).fill(1)) < 1)
  }
})

test('seededRandom() gives the same for the same seed, and something else for the next', () => {
  const take = (seed: number) => Array.from({ length: 5 }, seededRandom(seed))
  assert.deepEqual(take(7), take(7))
  assert.equal(new Set([...take(7), ...take(8), ...take(9)]).size, 15)
})
