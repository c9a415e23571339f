import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseFields, parseMember, toFields } from '#src/discovery/member.js'
import { MemberFilter } from '#src/discovery/member-filter.js'
import { formatAddress, type SocketAddress } from '#src/model/address.js'

function read(text: string, value?: string): string {
  const parsed = parseMember(text, value)
  return 'reason' in parsed ? parsed.reason : formatAddress(parsed.server.address)
}

function address(text: string): SocketAddress {
  const parsed = parseMember(text)
  assert.ok('server' in parsed, text)
  return parsed.server.address
}

test('parseMember() takes IPv4, IPv6 in brackets, and IPv6 without them where it reads in one way only', () => {
  assert.equal(read('10.0.0.1:9100'), '10.0.0.1:9100')
  assert.equal(read('[2001:DB8:0::1]:9100'), '[2001:db8::1]:9100')
  assert.equal(read('2001:db8:0:0:0:0:0:1:9100'), '[2001:db8::1]:9100')
  assert.equal(read('::1:64400'), '[::1]:64400')
  assert.equal(read('2001:db8::1:9100'), 'bad-address')
})

test('parseMember() refuses what names no single host and port', () => {
  const bad = [
    '',
    'chat:9100',
    '10.0.0.1',
    '10.0.0.1:0',
    '10.0.0.1:65536',
    '10.0.0.1:09100',
    'unix:/run/a',
    '[::1]',
    '::1',
  ]
  for (const text of [...bad, '010.0.0.1:9100', '10.0.0.1:9100\n', '[::ffff:10.0.0.1]:9100', `${'1'.repeat(100)}:1`]) {
    assert.equal(read(text), 'bad-address', text)
  }
  for (const text of [
    '0.0.0.0:9100',
    '0.1.2.3:9100',
    '224.0.0.1:9100',
    '255.255.255.255:1',
    '[::]:1',
    '[ff02::1]:1',
    '[fe80::1]:1',
  ]) {
    assert.equal(read(text), 'no-destination', text)
  }
})

test('parseMember() takes the options of a JSON value and ignores what else stands in it', () => {
  const value = '{ "weight": 3, "priority": 2, "state": "drain", "maxConnections": 50, "zone": "b", "pid": [7] }'
  assert.deepEqual(parseMember('10.0.0.1:9100', value), {
    server: {
      address: address('10.0.0.1:9100'),
      weight: 3,
      priority: 2,
      state: 'drain',
      maxConnections: 50,
      zone: 'b',
    },
  })
  assert.deepEqual(parseMember('{ "address": "10.0.0.1:9100", "backup": true }'), {
    server: {
      address: address('10.0.0.1:9100'),
      weight: 1,
      priority: 16,
      state: 'ready',
      zone: '',
      maxConnections: Number.POSITIVE_INFINITY,
    },
  })
  assert.equal(read('10.0.0.1:9100', '1763727277'), '10.0.0.1:9100')
})

test('parseMember() refuses a value whose options have a wrong type, are out of bounds, or are no JSON', () => {
  const options = [
    '"weight":0',
    '"weight":257',
    '"weight":"2"',
    '"weight":1.5',
    '"priority":16',
    '"backup":1',
    '"state":"up"',
  ]
  const others = ['"maxConnections":0', '"zone":7', '"backup":true,"priority":1', '"weight":null', 'x']
  for (const option of [...options, ...others]) assert.equal(read('10.0.0.1:9100', `{${option}}`), 'bad-value', option)
  assert.equal(read('10.0.0.1:9100', `{"x":"${'a'.repeat(4096)}"}`), 'bad-value')
})

test('parseMember() names the field that is wrong, and shows a little of its value', () => {
  const detailOf = (text: string) => {
    const parsed = parseMember('10.0.0.1:9100', text)
    return 'detail' in parsed ? parsed.detail : ''
  }
  assert.equal(detailOf('{"weight":"heavy"}'), 'weight is "heavy"; write 1 to 256')
  assert.equal(detailOf('{"priority":16}'), 'priority is 16; write 0 to 15')
  assert.equal(detailOf('{"backup":true,"priority":1}'), 'priority stands beside backup; write one of them')
  assert.equal(detailOf('{"maxConnections":{"a":"geheim"}}'), 'maxConnections is an object; write 1 to 1000000')
  assert.equal(
    detailOf(`{"state":"\\u001b[2J\u202e${'x'.repeat(99)}"}`),
    `state is "\\u001b[2J?${'x'.repeat(27)}…"; write ready, drain or maintenance`,
  )
  assert.equal(detailOf('{weight: 2}'), 'it begins as JSON, and is none')
  assert.equal(detailOf(`{"x":"${'a'.repeat(4096)}"}`), 'it is longer than 4096 bytes')
})

test('parseMember() never throws, and gives an address that reads the same again', () => {
  fc.assert(
    fc.property(fc.string(), fc.oneof(fc.string(), fc.json()), (text, value) => {
      const parsed = parseMember(text, value)
      if ('server' in parsed)
        assert.equal(read(formatAddress(parsed.server.address)), formatAddress(parsed.server.address))
    }),
  )
})

test('parseFields() reads back what toFields() writes', () => {
  for (const fields of [{ weight: 7, priority: 3, state: 'maintenance', maxConnections: 9 }, { backup: true }, {}]) {
    const parsed = parseFields({ address: '[::1]:9100', ...fields })
    assert.ok('server' in parsed)
    assert.deepEqual(toFields(parsed.server), { address: '[::1]:9100', ...fields })
    assert.deepEqual(parseFields(toFields(parsed.server)), parsed)
  }
})

test('MemberFilter.refusalOf() refuses other networks and ports', () => {
  const filter = new MemberFilter(
    { networks: ['10.0.0.0/8', 'fd00::/8', '192.0.2.1'], ports: [{ from: 9000, to: 9100 }] },
    [],
  )
  const refusal = (text: string) => filter.refusalOf(address(text))
  for (const text of ['10.9.9.9:9000', '[fd12::1]:9100', '192.0.2.1:9050']) assert.equal(refusal(text), undefined, text)
  for (const text of ['11.0.0.1:9000', '[fe00::1]:9000', '192.0.2.2:9000']) assert.equal(refusal(text), 'network', text)
  assert.equal(refusal('10.0.0.1:8999'), 'port')
})

test('MemberFilter.refusalOf() refuses our own listeners, on every address of the machine where they are on all', () => {
  const own: SocketAddress[] = [
    { family: 'ipv4', host: '0.0.0.0', port: 64_400 },
    { family: 'ipv6', host: '::', port: 64_401 },
    { family: 'ipv4', host: '10.0.0.5', port: 80 },
  ]
  const filter = new MemberFilter({ networks: [], ports: [] }, own, () => ['192.0.2.7', 'fd00::7'])
  const refusal = (text: string) => filter.refusalOf(address(text))
  for (const text of [
    '127.0.0.1:64400',
    '127.9.9.9:64400',
    '192.0.2.7:64400',
    '[::1]:64401',
    '[fd00::7]:64401',
    '10.0.0.5:80',
  ]) {
    assert.equal(refusal(text), 'own-listener', text)
  }
  for (const text of ['192.0.2.8:64400', '[::1]:64400', '10.0.0.5:81', '10.0.0.6:80']) {
    assert.equal(refusal(text), undefined, text)
  }
})
