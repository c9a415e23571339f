import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { ClientKey } from '#src/shared/client-key.js'

const bits = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
const address = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

test('ClientKey.setIpv6() keeps exactly the leading bits that the prefix says', () => {
  fc.assert(
    fc.property(address(16), fc.integer({ min: 1, max: 128 }), (source, ipv6) => {
      source[0] = 0x20
      const key = new ClientKey()
      key.bytes.fill(0xff)
      key.setIpv6(9, source, 0, { ipv4: 32, ipv6 })
      assert.equal(bits(key.bytes), bits(source).slice(0, ipv6).padEnd(128, '0'))
      assert.equal(key.upstreamRow, 9)
    }),
  )
})

test('ClientKey.setIpv4() and setIpv6() of the IPv4-mapped address make the same key', () => {
  fc.assert(
    fc.property(address(4), fc.integer({ min: 1, max: 32 }), fc.integer({ min: 1, max: 128 }), (source, ipv4, ipv6) => {
      const [plain, mapped] = [new ClientKey(), new ClientKey()]
      plain.bytes.fill(0xff)
      plain.setIpv4(3, Uint8Array.of(1, 2, ...source), 2, { ipv4, ipv6 })
      mapped.setIpv6(3, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...source), 0, { ipv4, ipv6 })
      assert.deepEqual(mapped.words, plain.words)
      assert.ok(plain.isIpv4())
      assert.equal(bits(plain.bytes.subarray(12)), bits(source).slice(0, ipv4).padEnd(32, '0'))
    }),
  )
})
