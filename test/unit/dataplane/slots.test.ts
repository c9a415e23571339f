import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import fc from 'fast-check'
import { MAX_ATTEMPTS, Phase, Slots } from '#src/dataplane/slots.js'

function createSlots(maximum: number): { slots: Slots; grown: number[] } {
  const grown: number[] = []
  return { slots: new Slots(new SharedArrayBuffer(8 * maximum), (capacity) => grown.push(capacity)), grown }
}

function take(slots: Slots): number {
  const next = slots.next()
  if (next < 0) return next
  assert.equal(slots.take(), next)
  slots.phase[next] = Phase.relaying
  return next
}

test('Slots grows by doubling up to its maximum, and then has none left', () => {
  const { slots, grown } = createSlots(2500)
  const taken = new Set<number>()
  for (let n = 0; n < 2500; n++) taken.add(take(slots))
  assert.equal(taken.size, 2500)
  assert.deepEqual(grown, [1024, 2048, 2500])
  assert.equal(slots.next(), -1)
  assert.equal(slots.used, 2500)
  slots.free(1234)
  assert.equal(slots.next(), 1234)
})

test('Slots keeps what connections have when it grows', () => {
  const { slots } = createSlots(4096)
  // clientBytes is clientAddress in another form.
  const fields = Object.entries(slots).filter(
    ([name, value]) => ArrayBuffer.isView(value) && name !== 'clientBytes',
  ) as [keyof Slots, Int32Array][]
  for (let n = 0; n < 1024; n++) take(slots)
  const before = fields.map(([name, array]) => {
    array.forEach((_, i) => {
      array[i] = (i % 120) + 1
    })
    return [name, array.slice()] as const
  })
  take(slots)
  assert.ok(slots.capacity > 1024)
  for (const [name, old] of before) {
    const now = slots[name] as unknown as Int32Array
    const isPerPhase = name === 'phase'
    assert.ok(now.length >= old.length)
    for (let i = 0; i < old.length; i++) if (!(isPerPhase && i === 1024)) assert.equal(now[i], old[i], String(name))
  }
  assert.ok(before.length > 20)
})

test('Slots gives new sides empty lists of pending bytes', () => {
  const { slots } = createSlots(2048)
  for (let n = 0; n < 1025; n++) take(slots)
  assert.ok(slots.pendingHead.every((head) => head === -1))
  assert.ok(slots.pendingTail.every((tail) => tail === -1))
})

test('Slots.free() leaves nothing of a connection on its sides for the next one', () => {
  const { slots } = createSlots(16)
  const connection = take(slots)
  for (const side of [2 * connection, 2 * connection + 1]) {
    slots.flags[side] = 255
    slots.pendingBytes[side] = 5
    slots.pendingHead[side] = 5
    slots.pendingTail[side] = 5
    slots.pendingOffset[side] = 5
    slots.delivered[side] = 5
    slots.tag[side] = 5
  }
  slots.free(connection)
  assert.equal(slots.phase[connection], Phase.free)
  for (const side of [2 * connection, 2 * connection + 1]) {
    assert.deepEqual([slots.flags[side], slots.pendingBytes[side], slots.pendingOffset[side]], [0, 0, 0])
    assert.deepEqual([slots.pendingHead[side], slots.pendingTail[side], slots.delivered[side]], [-1, -1, 0])
    assert.equal(slots.tag[side], 5, 'the tag goes on, so that events of the earlier socket are recognised')
  }
})

test('Slots never gives a connection twice', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.nat(), { maxLength: 200 }), (maximum, steps) => {
      const { slots } = createSlots(maximum)
      const taken = new Set<number>()
      for (const step of steps) {
        if (step % 2 === 0) {
          const connection = take(slots)
          assert.equal(connection < 0, taken.size === maximum)
          if (connection < 0) continue
          assert.ok(connection < maximum && !taken.has(connection))
          taken.add(connection)
        } else if (taken.size > 0) {
          const connection = [...taken][step % taken.size]!
          taken.delete(connection)
          slots.free(connection)
        }
        assert.equal(slots.used, taken.size)
      }
    }),
  )
})

test('MAX_ATTEMPTS is what the file may ask for', () => {
  const file = new URL('../../../../schemas/lb.schema.json', import.meta.url)
  const text = readFileSync(file, 'utf8')
  const attempts = /"attempts": \{[^}]*\}/.exec(text)?.[0] ?? ''
  assert.equal(JSON.parse(`{${attempts}}`).attempts.maximum, MAX_ATTEMPTS)
})
