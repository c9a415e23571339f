import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { type Age, RowRegistry } from '#src/control/row-registry.js'
import { McsError } from '#src/model/errors.js'

function createRegistry(maximum = 8): { registry: RowRegistry; reused: number[] } {
  const reused: number[] = []
  return { registry: new RowRegistry('backends', maximum, { onRelease: (row) => reused.push(row) }), reused }
}

/** A point at which generations and changes of members have gone on side by side. */
function age(generation: number, epoch = generation): Age {
  return { generation, epoch }
}

test('RowRegistry.rowFor() gives a key the same row as long as it is used, and another key another', () => {
  const { registry } = createRegistry()
  const row = registry.rowFor('a', 'A')
  assert.notEqual(registry.rowFor('b', 'B'), row)
  assert.equal(registry.rowFor('a', 'A'), row)
  assert.equal(registry.nameOf(row), 'A')
})

test('RowRegistry.nameOf() knows the name of a row until it is given anew', () => {
  const { registry } = createRegistry()
  const row = registry.rowFor('a', 'A')
  registry.retain(new Set(['a']), age(1))
  registry.retain(new Set(), age(2))
  registry.collect(age(2), () => false)
  assert.equal(registry.nameOf(row), 'A')
  assert.equal(registry.rowFor('b', 'B'), row)
  assert.equal(registry.nameOf(row), 'B')
  assert.equal(registry.nameOf(7), 'unknown')
})

test('RowRegistry.rowFor() throws MCS_LIMIT_EXCEEDED when every row has an owner, and knows those it has', () => {
  const { registry } = createRegistry(2)
  registry.rowFor('a', 'A')
  registry.rowFor('b', 'B')
  assert.throws(
    () => registry.rowFor('c', 'C'),
    (error) => error instanceof McsError && error.code === 'MCS_LIMIT_EXCEEDED' && error.source === 'config',
  )
  assert.equal(registry.rowFor('b', 'B'), 1)
})

test('RowRegistry.collect() frees a row only when no generation that knew its owner is left', () => {
  const { registry, reused } = createRegistry()
  registry.rowFor('a', 'A')
  registry.retain(new Set(['a']), age(1))
  registry.retain(new Set(), age(4))
  registry.collect(age(3), () => false)
  assert.deepEqual(reused, [])
  registry.collect(age(4), (row) => row === 0)
  assert.deepEqual(reused, [])
  registry.collect(age(4), () => false)
  assert.deepEqual(reused, [0])
  assert.deepEqual(registry.rowsInUse(), [])
})

test('RowRegistry.collect() waits for both, the generation and the change of members', () => {
  const { registry, reused } = createRegistry()
  registry.rowFor('a', 'A')
  registry.retain(new Set(['a']), age(1))
  registry.retain(new Set(), age(2, 7))
  registry.collect(age(2, 6), () => false)
  registry.collect(age(1, 7), () => false)
  assert.deepEqual(reused, [])
  registry.collect(age(2, 7), () => false)
  assert.deepEqual(reused, [0])
})

test('RowRegistry.entryFor() gives an id that no owner had before, and names it when the row is another’s', () => {
  const { registry } = createRegistry()
  const first = registry.entryFor('a', 'A')
  registry.retain(new Set(['a']), age(1))
  registry.retain(new Set(), age(2))
  registry.collect(age(2), () => false)
  const second = registry.entryFor('b', 'B')
  assert.equal(second.row, first.row)
  assert.notEqual(second.id, first.id)
  assert.deepEqual([registry.nameOfId(first.id), registry.nameOfId(second.id)], ['A', 'B'])
  assert.equal(registry.nameOfId(99), undefined)
})

test('RowRegistry.entryFor() gives a key that comes back the id that it had, as long as it is remembered', () => {
  const registry = new RowRegistry('backends', 8, { rememberedOwners: 2 })
  const ids = ['a', 'b', 'c'].map((key) => registry.entryFor(key, key).id)
  registry.retain(new Set(['a', 'b', 'c']), age(1))
  registry.retain(new Set(), age(2))
  registry.collect(age(2), () => false)
  const other = registry.entryFor('d', 'd').id
  const again = ['c', 'b', 'a'].map((key) => registry.entryFor(key, key).id)
  assert.deepEqual(again.slice(0, 2), [ids[2], ids[1]])
  assert.equal(new Set([...ids, other, again[2]]).size, 5)
  assert.deepEqual(
    again.map((id) => registry.nameOfId(id)),
    ['c', 'b', 'a'],
  )
})

test('RowRegistry.retain() remembers no owner that never served in place of those that did', () => {
  const registry = new RowRegistry('backends', 8, { rememberedOwners: 2 })
  const [id] = ['a', 'b'].map((key) => registry.entryFor(key, key).id)
  registry.retain(new Set(['a', 'b']), age(1))
  registry.retain(new Set(), age(2))
  registry.collect(age(2), () => false)
  // Files are refused that name others, and then one of those.
  for (const names of [['c', 'd'], ['a']]) {
    for (const name of names) registry.entryFor(name, name)
    registry.retain(new Set(), age(2))
  }
  assert.equal(registry.entryFor('a', 'a').id, id)
})

test('RowRegistry.rowFor() gives a key its row back that was unused and not collected yet', () => {
  const { registry } = createRegistry()
  const row = registry.rowFor('a', 'A')
  registry.retain(new Set(['a']), age(1))
  registry.retain(new Set(), age(2))
  assert.equal(registry.rowFor('a', 'A'), row)
  registry.retain(new Set(['a']), age(3))
  registry.collect(age(3), () => false)
  assert.deepEqual(registry.rowsInUse(), [row])
})

test('RowRegistry.retain() frees rows at once that were given to a configuration that never served', () => {
  const { registry } = createRegistry(2)
  registry.rowFor('a', 'A')
  registry.retain(new Set(['a']), age(1))
  // A reload that is refused, for example because it asks for more rows than there are.
  registry.rowFor('b', 'B')
  assert.throws(() => registry.rowFor('c', 'C'))
  registry.retain(new Set(['a']), age(2))
  // Workers serve generation 1 as before.
  registry.collect(age(1), () => false)
  assert.equal(registry.rowFor('d', 'D'), 1)
})

test('RowRegistry never gives a row to two keys, nor to another key while a generation in use knows its owner', () => {
  const keys = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'))
  const step = fc.record({ keys, isRefused: fc.boolean(), ended: fc.nat(3), busy: fc.nat(255) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { registry } = createRegistry(64)
      /** What each served generation that still has connections says of the rows. */
      const generations = new Map<number, Map<string, number>>([[0, new Map()]])
      let generation = 0
      let served = new Map<string, number>()
      for (const { keys: wanted, isRefused, ended, busy } of steps) {
        for (const old of [...generations.keys()].slice(0, ended))
          if (old !== lastOf(generations)) generations.delete(old)
        registry.collect(age(Math.min(...generations.keys())), (row) => ((busy >> row) & 1) === 1)
        const rows = new Map(wanted.map((key) => [key, registry.rowFor(key, key)]))
        assert.equal(new Set(rows.values()).size, wanted.length, 'two keys have one row')
        for (const known of generations.values()) {
          for (const [key, row] of rows) {
            for (const [owner, itsRow] of known) assert.equal(owner === key, itsRow === row, `${key}: row ${row}`)
          }
        }
        generation++
        if (!isRefused) {
          served = rows
          generations.set(generation, rows)
        }
        registry.retain(new Set(served.keys()), age(generation))
        for (const [key, row] of served) assert.equal(registry.nameOf(row), key)
      }
    }),
  )
})

function lastOf(generations: ReadonlyMap<number, unknown>): number {
  return Math.max(...generations.keys())
}

test('RowRegistry.owners() has those that nothing names any more until their rows are freed', () => {
  const { registry } = createRegistry()
  registry.rowFor('a', 'A')
  registry.retain(new Set(['a']), age(1))
  registry.retain(new Set(), age(2))
  assert.deepEqual(registry.owners(), [{ key: 'a', name: 'A', row: 0 }])
  registry.collect(age(2), () => false)
  assert.deepEqual(registry.owners(), [])
})
