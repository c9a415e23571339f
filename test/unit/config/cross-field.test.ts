import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changed, faultsOf, minimal, parse } from './fixture.ts'

/** The faults of one listener for each bind and of one upstream with these servers. */
function collide(binds: readonly string[], servers: readonly string[] = ['10.0.0.1:1'], admin = 'none'): string[] {
  const listeners = binds.map((bind, index) => `  l${index}: { bind: "${bind}", upstream: u }`)
  const rows = servers.map((address) => `      - address: "${address}"`)
  return faultsOrNone(
    [
      'version: 1',
      `admin: { socket: ${admin} }`,
      'listeners:',
      ...listeners,
      'upstreams:',
      '  u:',
      '    servers:',
      ...rows,
    ].join('\n'),
  )
}

function faultsOrNone(text: string): string[] {
  try {
    parse(text)
    return []
  } catch {
    return faultsOf(text).map((fault) => fault.split(' | ').slice(0, 2).join(' | '))
  }
}

test('checkAcross() refuses an upstream that does not exist, and names the one that was meant', () => {
  const path = '5:15 listeners.edge.upstream'
  assert.deepEqual(faultsOf(changed('upstream: chat', 'upstream: caht')), [
    `${path} | there is no upstream "caht" | did you mean chat?`,
  ])
  assert.deepEqual(faultsOf(changed('upstream: chat', 'upstream: toString')), [
    `${path} | there is no upstream "toString" | add it to "upstreams"`,
  ])
})

test('checkAcross() refuses two listeners on one address', () => {
  assert.deepEqual(collide(['127.0.0.1:1', '127.0.0.1:1']), [
    '5:15 listeners.l1.bind | "127.0.0.1:1" is used by listener "l0" already',
  ])
  assert.deepEqual(collide(['[::1]:1', '[0:0::0:1]:1']), [
    '5:15 listeners.l1.bind | "[::1]:1" is used by listener "l0" already',
  ])
  assert.deepEqual(collide(['unix:/run/a', 'unix:/run/../run/a']), [
    '5:15 listeners.l1.bind | "unix:/run/a" is used by listener "l0" already',
  ])
})

test('checkAcross() refuses addresses that overlap, whichever comes first', () => {
  assert.deepEqual(collide(['0.0.0.0:1', '127.0.0.1:1']), [
    '5:15 listeners.l1.bind | "127.0.0.1:1" overlaps "0.0.0.0:1" of listener "l0"',
  ])
  assert.deepEqual(collide(['127.0.0.1:1', '127.0.0.2:1', '0.0.0.0:1']), [
    '6:15 listeners.l2.bind | "0.0.0.0:1" overlaps "127.0.0.1:1" of listener "l0"',
  ])
  assert.deepEqual(collide(['[::1]:1', '[::]:1']), [
    '5:15 listeners.l1.bind | "[::]:1" overlaps "[::1]:1" of listener "l0"',
  ])
})

test('checkAcross() lets addresses stand side by side that do not meet', () => {
  assert.deepEqual(
    collide(['[::]:1', '0.0.0.0:1', '0.0.0.0:2', '127.0.0.1:3', '127.0.0.2:3', 'unix:/a', 'unix:/b']),
    [],
  )
  assert.deepEqual(collide(['127.0.0.1:0', '127.0.0.1:0', '0.0.0.0:0']), [])
})

test('checkAcross() refuses a listener on the admin socket', () => {
  assert.deepEqual(collide(['unix:/run/a'], undefined, '/run/a'), [
    '4:15 listeners.l0.bind | "unix:/run/a" is used by the admin socket already',
  ])
})

test('checkAcross() refuses a server that stands in one upstream twice', () => {
  assert.deepEqual(collide(['127.0.0.1:1'], ['10.0.0.1:1', '10.0.0.2:1', '10.0.0.1:1']), [
    '10:18 upstreams.u.servers[2].address | the server "10.0.0.1:1" stands in this upstream twice',
  ])
  const other = '  other:\n    servers: [{ address: "10.0.0.1:9100" }]\n'
  assert.equal(parse(minimal + other).upstreams.length, 2)
})

test('checkAcross() refuses a server that is a listener of this file', () => {
  const loops: [bind: string, server: string][] = [
    ['127.0.0.1:1', '127.0.0.1:1'],
    ['0.0.0.0:1', '127.0.0.9:1'],
    ['0.0.0.0:1', '192.0.2.7:1'],
    ['[::]:1', '[::1]:1'],
    ['[::]:1', '[2001:db8::7]:1'],
    ['unix:/run/a', 'unix:/run/a'],
  ]
  for (const [bind, server] of loops) assert.match(collide([bind], [server]).join(), /would go round in a loop/, server)
})

test('checkAcross() lets servers be that lead elsewhere', () => {
  const others: [bind: string, server: string][] = [
    ['127.0.0.1:1', '127.0.0.1:2'],
    ['127.0.0.1:1', '127.0.0.2:1'],
    ['0.0.0.0:1', '192.0.2.8:1'],
    ['[::]:1', '127.0.0.1:1'],
    ['0.0.0.0:0', '127.0.0.1:1'],
  ]
  for (const [bind, server] of others) assert.deepEqual(collide([bind], [server]), [], server)
})

test('checkAcross() refuses socket paths that the kernel cannot take', () => {
  const tooLong = `/${'é'.repeat(54)}`
  assert.match(collide([`unix:${tooLong}`]).join(), /^4:15 .*has 109 bytes/)
  assert.match(collide(['127.0.0.1:1'], [`unix:${tooLong}`]).join(), /has 109 bytes/)
  assert.match(collide(['127.0.0.1:1'], undefined, tooLong).join(), /^2:18 admin.socket \| .*has 109 bytes/)
  assert.deepEqual(collide([`unix:/${'x'.repeat(106)}`]), [])
  assert.match(collide([`unix:${'x'.repeat(100)}`]).join(), /has 112 bytes/)
})

test('checkAcross() refuses more than 65536 servers in all', () => {
  const servers = Array.from({ length: 256 }, (_, i) => `{ address: "10.0.0.${i}:1" }`).join(', ')
  const upstreams = Array.from({ length: 256 }, (_, i) => `  u${i}: { servers: *s }`).join('\n')
  const text = `${minimal}  s: { servers: &s [${servers}] }\n${upstreams}\n`
  assert.match(faultsOf(text).join(), /^6:1 upstreams \| the file has 65793 servers/)
})
