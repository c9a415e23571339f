import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { identityOf, sourceKey } from '#src/balance/source-key.js'
import { unevenness } from './setup.ts'

const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10

const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 })
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 })

/** The words that the data plane keeps of an address: family and port, then the address in network order. */
function wordsOf(family: number, address: Uint8Array, port = 51034): Int32Array {
  const bytes = new Uint8Array(20)
  bytes.set([family, 0, port >> 8, port & 255])
  bytes.set(address, 4)
  return new Int32Array(bytes.buffer)
}

const key = (words: Int32Array, ipv4Prefix = 32, ipv6Prefix = 64) => sourceKey(words, 0, ipv4Prefix, ipv6Prefix)
const mapped = (address: Uint8Array) => Uint8Array.from([...new Array(10).fill(0), 0xff, 0xff, ...address])

/** The address with all bits after the first `bits` 0. */
function cut(address: Uint8Array, bits: number): Uint8Array {
  return address.map((byte, at) => byte & (0xff00 >> Math.min(Math.max(bits - 8 * at, 0), 8)))
}

test('identityOf() is MurmurHash3_x86_32 of the UTF-8 bytes', () => {
  assert.equal(identityOf(''), 0)
  assert.equal(identityOf('test') >>> 0, 0xba6bd213)
  assert.equal(identityOf('hello') >>> 0, 0x248bfa47)
  assert.equal(identityOf('hello, world') >>> 0, 0x149bbb7f)
  assert.equal(identityOf('The quick brown fox jumps over the lazy dog') >>> 0, 0x2e4ff723)
})

test('sourceKey() is MurmurHash3_x86_32 of the address cut to its prefix', () => {
  // Bytes that are UTF-8 too, so that the same function can say what is expected.
  assert.equal(key(wordsOf(AF_INET, Buffer.from('test'))), identityOf('test'))
  assert.equal(key(wordsOf(AF_INET6, Buffer.from('hello, world 012')), 32, 128), identityOf('hello, world 012'))
  assert.equal(key(wordsOf(AF_INET6, Buffer.from('hello, world 012')), 32, 64), identityOf(`hello, w${'\0'.repeat(8)}`))
  assert.equal(key(wordsOf(AF_INET, Buffer.from('test')), 24), identityOf('tes\0'))
})

test('sourceKey() of an address is that of its prefix, and differs from that of another prefix', () => {
  fc.assert(
    fc.property(
      ipv4,
      fc.integer({ min: 0, max: 32 }),
      ipv6,
      fc.integer({ min: 0, max: 128 }),
      (v4, bits4, v6, bits6) => {
        assert.equal(key(wordsOf(AF_INET, v4), bits4), key(wordsOf(AF_INET, cut(v4, bits4)), 32))
        assert.equal(key(wordsOf(AF_INET6, v6), 32, bits6), key(wordsOf(AF_INET6, cut(v6, bits6)), 32, 128))
        if (bits4 === 0) return
        const flipped = v4.map((byte, at) => (at === (bits4 - 1) >> 3 ? byte ^ (0x80 >> ((bits4 - 1) & 7)) : byte))
        assert.notEqual(key(wordsOf(AF_INET, v4), bits4), key(wordsOf(AF_INET, flipped), bits4))
      },
    ),
  )
})

test('sourceKey() counts an IPv4-mapped address as IPv4, by its prefix', () => {
  fc.assert(
    fc.property(ipv4, fc.integer({ min: 0, max: 32 }), (address, bits) => {
      assert.equal(key(wordsOf(AF_INET6, mapped(address)), bits, 64), key(wordsOf(AF_INET, address), bits))
    }),
  )
})

test('sourceKey() leaves out the port and what lies beside the five words', () => {
  fc.assert(
    fc.property(ipv4, fc.integer({ min: 0, max: 65_535 }), (address, port) => {
      const words = wordsOf(AF_INET, address, port)
      const around = Int32Array.from([7, 7, 7, 7, 7, ...words, 7])
      assert.equal(sourceKey(around, 5, 32, 64), key(wordsOf(AF_INET, address)))
    }),
  )
})

test('sourceKey() of a client on a unix socket is 0', () => {
  assert.equal(key(wordsOf(AF_UNIX, new Uint8Array(16).fill(9))), 0)
})

test('sourceKey() changes each bit half the time when one bit of the address changes', () => {
  const samples = 2000
  for (let bit = 0; bit < 32; bit++) {
    const changed = new Array<number>(32).fill(0)
    for (let n = 0; n < samples; n++) {
      const word = Math.imul(n + 1, 0x9e37_79b1)
      const one = sourceKey(Int32Array.of(AF_INET, word, 0, 0, 0), 0, 32, 64)
      const other = sourceKey(Int32Array.of(AF_INET, word ^ (1 << bit), 0, 0, 0), 0, 32, 64)
      for (let out = 0; out < 32; out++) changed[out]! += ((one ^ other) >>> out) & 1
    }
    for (const count of changed) assert.ok(Math.abs(count / samples - 0.5) < 0.08, `bit ${bit}: ${changed}`)
  }
})

test('sourceKey() spreads the addresses of one network evenly', () => {
  const counts = new Array<number>(64).fill(0)
  for (let host = 0; host < 65_536; host++) {
    const hash = key(wordsOf(AF_INET, Uint8Array.of(10, 1, host >> 8, host & 255)))
    counts[hash & 63]! += 1
  }
  assert.ok(
    unevenness(
      counts,
      counts.map(() => 1),
    ) < 1,
  )
})
