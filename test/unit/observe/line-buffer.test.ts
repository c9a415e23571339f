import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LineBuffer } from '#src/observe/line-buffer.js'

const written = (write: (out: LineBuffer) => void): string => {
  const out = new LineBuffer()
  write(out)
  return out.take().toString()
}

const edges = [0, -0, 9, 10, 999_999_999, 1e9, 2 ** 53, 1e21, -1, -0.5, 0.1, Number.NaN, Number.POSITIVE_INFINITY]

test('LineBuffer.number() writes any number as String() has it', () => {
  const check = (value: number) =>
    assert.equal(
      written((out) => out.number(value)),
      String(value),
    )
  edges.forEach(check)
  fc.assert(fc.property(fc.oneof(fc.nat(), fc.integer(), fc.double()), check))
})

test('LineBuffer.milliseconds() writes them to the microsecond, as String() has them', () => {
  const check = (value: number) =>
    assert.equal(
      written((out) => out.milliseconds(value)),
      String(Math.round(value * 1000) / 1000),
    )
  edges.forEach(check)
  for (const value of [1.5, 1.25, 1.125, 1.001, 1.01, 1.1, 0.9994, 0.9996, 999_999.999]) check(value)
  fc.assert(fc.property(fc.oneof(fc.nat(), fc.double(), fc.double({ min: 0, max: 1e6 })), check))
})

test('LineBuffer.padded() writes zeros in front', () => {
  for (const [value, digits, text] of [
    [7, 3, '007'],
    [0, 3, '000'],
    [123, 3, '123'],
  ] as const) {
    assert.equal(
      written((out) => out.padded(value, digits)),
      text,
    )
  }
})

test('LineBuffer takes as much as there is, in the order in which it was written', () => {
  const text = 'a line of text\n'.repeat(20_000)
  const out = new LineBuffer()
  out.ascii('first ')
  out.bytes(Buffer.from(text))
  out.ascii(text)
  out.byte(33)
  assert.equal(out.length, 7 + 2 * text.length)
  const taken = out.take()
  out.ascii('x'.repeat(taken.length))
  assert.equal(taken.toString(), `first ${text}${text}!`)
})

test('LineBuffer.take() keeps no more memory than the lines need, for many of them may wait', () => {
  const out = new LineBuffer()
  out.ascii('a line')
  assert.ok(out.take().buffer.byteLength <= Buffer.poolSize)
})

test('LineBuffer.cutTo() takes back what was written last', () => {
  assert.equal(
    written((out) => {
      out.ascii('kept')
      const { length } = out
      out.ascii(' and not')
      out.cutTo(length)
      out.number(1)
    }),
    'kept1',
  )
})
