import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseDuration, parsePercent, parseRange, parseSize, suggestDuration, suggestSize } from '#src/model/units.js'

test('parseDuration() gives milliseconds', () => {
  const durations = { '0s': 0, '250ms': 250, '5s': 5000, '10m': 600_000, '1h': 3_600_000, '365d': 31_536_000_000 }
  for (const [text, ms] of Object.entries(durations)) assert.equal(parseDuration(text), ms, text)
})

test('parseSize() gives bytes', () => {
  const sizes = { '0B': 0, '512B': 512, '64KiB': 65_536, '10MiB': 10_485_760, '2GiB': 2_147_483_648 }
  for (const [text, bytes] of Object.entries(sizes)) assert.equal(parseSize(text), bytes, text)
})

test('parseDuration() and parseSize() refuse everything else', () => {
  const others = ['', '5', '5 s', ' 5s', '5s\n', '-5s', '+5s', '1.5s', '1e3s', '5S', 's', '5KB', '5k', '٥s']
  for (const text of [...others, '999999999999999d', '999999999999999GiB', '9999999999999999ms']) {
    assert.equal(parseDuration(text), undefined, text)
    assert.equal(parseSize(text), undefined, text)
  }
  assert.equal(parseDuration('5MiB'), undefined)
  assert.equal(parseSize('5s'), undefined)
})

test('parsePercent() gives a share from 0 to 1', () => {
  const shares = { '0%': 0, '30%': 0.3, '50%': 0.5, '100%': 1 }
  for (const [text, share] of Object.entries(shares)) assert.equal(parsePercent(text), share, text)
  for (const text of ['', '%', '30', '30 %', '-1%', '101%', '1000%', '12.5%', '1e1%', '٥%', '30%\n', '0x1%']) {
    assert.equal(parsePercent(text), undefined, text)
  }
  fc.assert(fc.property(fc.integer({ min: 0, max: 100 }), (n) => assert.equal(parsePercent(`${n}%`), n / 100)))
})

test('parseRange() gives both ends, the same for one number', () => {
  assert.deepEqual(parseRange('200'), { from: 200, to: 200 })
  assert.deepEqual(parseRange('200-299'), { from: 200, to: 299 })
  assert.deepEqual(parseRange('0-65535'), { from: 0, to: 65_535 })
  for (const text of ['', '-', '1-', '-1', '2-1', '1-2-3', '1 - 2', '1..2', '100000', '1-100000', '1e3', '٥', '1\n']) {
    assert.equal(parseRange(text), undefined, text)
  }
})

test('parseRange() takes two numbers in order and no others', () => {
  const number = fc.integer({ min: 0, max: 99_999 })
  fc.assert(
    fc.property(number, number, (from, to) => {
      assert.deepEqual(parseRange(`${from}-${to}`), from <= to ? { from, to } : undefined)
    }),
  )
})

test('parsePercent() and parseRange() give no number that is none', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const share = parsePercent(text) ?? 0
      assert.ok(share >= 0 && share <= 1)
      const { from, to } = parseRange(text) ?? { from: 0, to: 0 }
      assert.ok(Number.isInteger(from) && Number.isInteger(to) && from <= to)
    }),
  )
})

test('suggestDuration() and suggestSize() give what was meant', () => {
  const durations = {
    '5': '5s',
    '5 s': '5s',
    '5 sec': '5s',
    '60 sec': '60s',
    '5S': '5s',
    '1.5s': '1500ms',
    '0.5h': '30m',
    '2 days': '2d',
    '1h30m': '90m',
    '1m 30s': '90s',
  }
  for (const [text, meant] of Object.entries(durations)) assert.equal(suggestDuration(text), meant, text)
  const sizes = { '64': '64MiB', '64kb': '64KiB', '64 K': '64KiB', '1.5 GB': '1536MiB', '10mib': '10MiB' }
  for (const [text, meant] of Object.entries(sizes)) assert.equal(suggestSize(text), meant, text)
})

test('suggestDuration() is silent where it cannot tell', () => {
  for (const text of ['', 'soon', '5 fortnights', '0', '5 constructor']) assert.equal(suggestDuration(text), '')
})

test('suggestDuration() and suggestSize() give only what is accepted', () => {
  const text = fc.oneof(
    fc.string(),
    fc.tuple(fc.float({ noNaN: true }), fc.string({ maxLength: 4 })).map((p) => p.join('')),
  )
  fc.assert(
    fc.property(text, (input) => {
      const [duration, size] = [suggestDuration(input), suggestSize(input)]
      assert.ok(duration === '' || parseDuration(duration) !== undefined, duration)
      assert.ok(size === '' || parseSize(size) !== undefined, size)
    }),
  )
})
