import assert from 'node:assert/strict'
import test from 'node:test'
import { seededRandom } from '#src/balance/seeded-random.js'
import type { BalanceAlgorithm } from '#src/model/config.js'
import { algorithmOf, countChoices, emptyTable, groupOf, requestOf, unevenness } from './setup.ts'

// Where all are idle and give back at once, the first of two drawn wins: their shares are those of one draw.
for (const name of ['random', 'random-two'] satisfies BalanceAlgorithm[]) {
  for (const weights of [
    [1, 1, 1, 1, 1],
    [1, 2, 7, 30],
  ]) {
    test(`${name} chooses idle backends as often as their weights ${weights.join(', ')} ask`, () => {
      const table = emptyTable()
      const group = groupOf(weights)
      const counts = countChoices(algorithmOf(name, group, table), group, 20_000, { release: table })
      assert.ok(unevenness(counts, weights) < 1, `${counts}`)
    })
  }

  test(`${name} chooses by weight among the few that are up`, () => {
    const table = emptyTable()
    const weights = Array.from({ length: 200 }, (_, row) => (row % 100 === 0 ? 1 + row / 50 : 8))
    for (let row = 0; row < 200; row++) if (row % 100 !== 0) table.setState(row, 1)
    const group = groupOf(weights)
    const counts = countChoices(algorithmOf(name, group, table), group, 5000, { release: table })
    assert.ok(unevenness([counts[0]!, counts[100]!], [1, 3]) < 1, `${counts[0]}, ${counts[100]}`)
  })

  for (const slow of [0.25, 0.002]) {
    test(`${name} chooses backends in slow start by ${slow} of their weight`, () => {
      const table = emptyTable()
      const group = groupOf([2, 2, 1])
      for (const row of [0, 2]) table.setShare(row, slow)
      table.setShare(1, slow / 2)
      const counts = countChoices(algorithmOf(name, group, table), group, 20_000, { release: table })
      assert.ok(unevenness(counts, [2, 1, 1]) < 1, `${counts}`)
    })
  }
}

test('RandomTwo.choose() takes the one of two with fewer connections for its weight', () => {
  const table = emptyTable()
  const group = groupOf([4, 1])
  for (let n = 0; n < 8; n++) table.acquire(0, Number.POSITIVE_INFINITY)
  const algorithm = algorithmOf('random-two', group, table)
  // 8/4 against 0/1 and 1/1: twice to the second; then 2/1 is as much.
  assert.equal(algorithm.choose(requestOf(), false), 1)
  assert.equal(algorithm.choose(requestOf(), false), 1)
  table.acquire(1, Number.POSITIVE_INFINITY)
  assert.equal(algorithm.choose(requestOf(), false), 0)
})

test('RandomTwo.choose() spreads far more evenly than Random.choose()', () => {
  const group = groupOf(new Array(50).fill(1))
  const most = (name: BalanceAlgorithm) =>
    Math.max(...countChoices(algorithmOf(name, group, emptyTable(), { random: seededRandom(7) }), group, 5000))
  assert.ok(most('random-two') <= 105, `${most('random-two')}`)
  assert.ok(most('random') >= 115, `${most('random')}`)
})
