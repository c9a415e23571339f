import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from '#src/config/address.js'
import { formatAddress } from '#src/model/address.js'

function read(text: string, role: 'listener' | 'server' = 'server'): string {
  const parsed = parseAddress(text, role)
  return 'address' in parsed ? formatAddress(parsed.address) : `${parsed.message} | ${parsed.hint}`
}

const forms = 'write it as 10.0.0.1:9100, [::1]:9100 or unix:/run/chat.sock'

test('parseAddress() reads the three forms, IPv6 in its shortest', () => {
  assert.equal(read('10.0.0.1:9100'), '10.0.0.1:9100')
  assert.equal(read('[2001:0DB8:0:0::1]:65535'), '[2001:db8::1]:65535')
  assert.equal(read('unix:/run/chat.sock'), 'unix:/run/chat.sock')
  assert.equal(read('unix:./chat.sock'), 'unix:./chat.sock')
  assert.equal(read('0.0.0.0:0', 'listener'), '0.0.0.0:0')
  assert.equal(read('[::]:1', 'listener'), '[::]:1')
})

test('parseAddress() refuses host names and says what to write', () => {
  const hint = 'host names are not looked up; write its IP address'
  assert.equal(read('localhost:80'), `"localhost:80" names a host | ${hint}, such as 127.0.0.1:80`)
  assert.equal(read('chat.internal:80'), `"chat.internal:80" names a host | ${hint}`)
})

test('parseAddress() refuses hosts that are none', () => {
  assert.equal(read('10.0.0.256:1'), `"10.0.0.256" in "10.0.0.256:1" is not an IPv4 address | ${forms}`)
  assert.equal(read('010.0.0.1:1'), `"010.0.0.1" in "010.0.0.1:1" is not an IPv4 address | ${forms}`)
  assert.equal(read('[::g]:1'), `"::g" in "[::g]:1" is not an IPv6 address | ${forms}`)
  assert.equal(read(':80'), `":80" names no host | ${forms}`)
  assert.equal(
    read('*:80', 'listener'),
    '"*:80" names no host | write 0.0.0.0:80 for IPv4, [::]:80 for IPv6, or both in a list',
  )
  assert.equal(
    read('[fe80::1%eth0]:1'),
    '"[fe80::1%eth0]:1" has a zone | zones are not supported; use a global address',
  )
  assert.equal(read('[::ffff:10.0.0.1]:1'), '"[::ffff:10.0.0.1]:1" is an IPv4 address in IPv6 form | write 10.0.0.1:1')
})

test('parseAddress() refuses ports that are none, and port 0 of a server', () => {
  const hint = 'a port is a whole number from 1 to 65535'
  for (const port of ['0', '65536', '080', '', '-1', '1e3', '0x50', '99999999999999999999']) {
    assert.equal(read(`10.0.0.1:${port}`), `"10.0.0.1:${port}" has the port "${port}" | ${hint}`)
  }
})

test('parseAddress() refuses every address as a destination', () => {
  const refusal = 'is every address and no destination | write the address of one server'
  assert.equal(read('0.0.0.0:1'), `"0.0.0.0:1" ${refusal}`)
  assert.equal(read('[0::0]:1'), `"[0::0]:1" ${refusal}`)
})

test('parseAddress() refuses multicast and broadcast as a destination', () => {
  const refusal = (what: string) => `is ${what} and no destination | write the address of one server`
  for (const text of ['224.0.0.1:1', '239.255.255.255:1', '[ff02::1]:1', '[ff00::]:1', '[FFFF:1::1]:1'])
    assert.equal(read(text), `"${text}" ${refusal('a multicast address')}`)
  assert.equal(read('255.255.255.255:1'), `"255.255.255.255:1" ${refusal('the broadcast address')}`)
  for (const text of ['223.255.255.255:1', '240.0.0.1:1', '[fe00::1]:1', '[ff::1]:1', '[fd00::ff02:1]:1'])
    assert.equal(read(text), text)
  assert.equal(read('224.0.0.1:1', 'listener'), '224.0.0.1:1')
})

test('parseAddress() says what is missing', () => {
  assert.equal(read('10.0.0.1'), `"10.0.0.1" has no port | ${forms}`)
  assert.equal(read('::1:80'), '"::1:80" has no brackets | write [::1]:80')
  assert.equal(read('2001:db8::1'), '"2001:db8::1" has no port | write [2001:db8::1]:9100')
  assert.equal(read('/run/chat.sock'), '"/run/chat.sock" is not an address | write unix:/run/chat.sock')
  assert.equal(read('tcp://10.0.0.1:80'), `"tcp://10.0.0.1:80" is a URL | ${forms}`)
  assert.equal(read('unix:'), `"unix:" names no socket | ${forms}`)
  assert.equal(read('unix:/run/'), `"unix:/run/" names no socket | ${forms}`)
  assert.equal(read('unix:@chat'), '"unix:@chat" is an abstract socket | write a path: unix:/run/chat.sock')
  assert.equal(read('unix:/a\u0000b'), '"unix:/a\\u0000b" has a control character | remove it')
  assert.equal(read(''), `"" is not an address | ${forms}`)
})

test('parseAddress() reads back what formatAddress() writes', () => {
  const address = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 65535 })).map(([host, port]) => `${host}:${port}`),
    fc.tuple(fc.ipV6(), fc.integer({ min: 1, max: 65535 })).map(([host, port]) => `[${host}]:${port}`),
  )
  fc.assert(
    fc.property(address, (text) => {
      const once = parseAddress(text, 'listener')
      if (!('address' in once)) return assert.match(once.message, /is an IPv4 address in IPv6 form/)
      assert.deepEqual(parseAddress(formatAddress(once.address), 'listener'), once)
    }),
  )
})

test('parseAddress() throws for no text', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseAddress(text, 'server')))
})
