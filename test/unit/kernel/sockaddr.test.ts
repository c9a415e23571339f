import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, isIPv6, type Server } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import fc from 'fast-check'
import { AF_INET, AF_INET6, AF_UNIX } from '#src/kernel/constants.js'
import { errnoName } from '#src/kernel/errno.js'
import { SOCKADDR_BYTES } from '#src/kernel/kernel.js'
import { Libc } from '#src/kernel/libc.js'
import { permanent } from '#src/kernel/library.js'
import { bindSocket, listenOn } from '#src/kernel/listening-socket.js'
import { domainOf, encodeSockaddr, isLoopback } from '#src/kernel/sockaddr.js'
import type { SocketAddress } from '#src/model/address.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { boundPort } from '../../helpers/socket-option.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const kernel = new Libc()
const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'))

/** The address in `struct sockaddr_in6`, in the shortest form that WHATWG's URL gives. */
function shortest(host: string): string {
  return new URL(`http://[${host}]`).hostname.slice(1, -1)
}

function decodeIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[8 + 2 * i]! << 8) | bytes[9 + 2 * i]!).toString(16))
  return shortest(groups.join(':'))
}

test('encodeSockaddr() lays IPv4 out as struct sockaddr_in', () => {
  const bytes = encodeSockaddr({ family: 'ipv4', host: '10.1.2.255', port: 0x1234 })
  assert.deepEqual([...bytes], [AF_INET, 0, 0x12, 0x34, 10, 1, 2, 255, 0, 0, 0, 0, 0, 0, 0, 0])
})

for (const [host, groups] of Object.entries({
  '::': [0, 0, 0, 0, 0, 0, 0, 0],
  '::1': [0, 0, 0, 0, 0, 0, 0, 1],
  '1::': [1, 0, 0, 0, 0, 0, 0, 0],
  'fe80::abcd:1': [0xfe80, 0, 0, 0, 0, 0, 0xabcd, 1],
  '1:2:3:4:5:6:7:8': [1, 2, 3, 4, 5, 6, 7, 8],
  '1:2:3:4:5:6:7::': [1, 2, 3, 4, 5, 6, 7, 0],
  '::ffff:10.0.0.1': [0, 0, 0, 0, 0, 0xffff, 0x0a00, 1],
  '64:ff9b::192.0.2.33': [0x64, 0xff9b, 0, 0, 0, 0, 0xc000, 0x0221],
  '1:2:3:4:5:6:255.254.1.0': [1, 2, 3, 4, 5, 6, 0xfffe, 0x100],
  'FE80::A%7': [0xfe80, 0, 0, 0, 0, 0, 0, 0xa],
})) {
  test(`encodeSockaddr() lays ${host} out as struct sockaddr_in6`, () => {
    const bytes = Buffer.from(encodeSockaddr({ family: 'ipv6', host, port: 443 }))
    assert.equal(bytes.length, 28)
    assert.deepEqual([bytes.readUInt16LE(0), bytes.readUInt16BE(2), bytes.readUInt32LE(4)], [AF_INET6, 443, 0])
    assert.deepEqual(
      groups.map((_, i) => bytes.readUInt16BE(8 + 2 * i)),
      groups,
    )
    assert.equal(bytes.readUInt32LE(24), host.endsWith('%7') ? 7 : 0)
  })
}

test('encodeSockaddr() reads every IPv6 address as URL does', () => {
  const group = fc.nat(0xffff).map((value) => value.toString(16))
  const compressed = fc
    .tuple(fc.array(group, { maxLength: 7 }), fc.nat(7))
    .map(([groups, at]) => `${groups.slice(0, at).join(':')}::${groups.slice(at).join(':')}`)
  const withTail = fc
    .tuple(fc.array(group, { maxLength: 5 }), fc.ipV4())
    .map(([groups, tail]) => `${groups.join(':')}::${tail}`)
  fc.assert(
    fc.property(fc.oneof(fc.ipV6(), compressed, withTail), (host) => {
      fc.pre(isIPv6(host))
      assert.equal(decodeIpv6(encodeSockaddr({ family: 'ipv6', host, port: 1 })), shortest(host))
    }),
    { numRuns: 500 },
  )
})

test('encodeSockaddr() lays a path out as struct sockaddr_un, up to 107 bytes and a NUL', () => {
  const path = `/${'é'.repeat(53)}`
  const bytes = Buffer.from(encodeSockaddr({ family: 'unix', path }))
  assert.equal(bytes.length, 2 + 107 + 1)
  assert.ok(bytes.length <= SOCKADDR_BYTES)
  assert.equal(bytes.readUInt16LE(0), AF_UNIX)
  assert.equal(bytes.toString('utf8', 2, 109), path)
  assert.equal(bytes[109], 0)
  assert.throws(() => encodeSockaddr({ family: 'unix', path: `${path}x` }), RangeError)
})

test('domainOf() gives the domain that socket(2) takes', () => {
  assert.equal(domainOf({ family: 'ipv4', host: '127.0.0.1', port: 1 }), AF_INET)
  assert.equal(domainOf({ family: 'ipv6', host: '::1', port: 1 }), AF_INET6)
  assert.equal(domainOf({ family: 'unix', path: '/x' }), AF_UNIX)
})

/** Binds through the kernel and has node connect: both must mean the same place. */
async function meet(t: TestContext, address: SocketAddress): Promise<void> {
  const fd = bindSocket(address, { keepAliveMs: Number.POSITIVE_INFINITY, reusePort: false })
  assert.ok(fd >= 0, errnoName(-fd))
  atEnd(t, () => kernel.close(fd))
  assert.equal(listenOn(fd, 8), 0)
  const client = address.family === 'unix' ? connect(address.path) : connect(boundPort(fd), address.host)
  atEnd(t, () => client.destroy())
  await once(client, 'connect')
  if (address.family !== 'unix') assert.equal(client.remotePort, boundPort(fd))
}

test('a socket bound to an encoded IPv4 address is where node connects to', async (t) => {
  await meet(t, { family: 'ipv4', host: '127.9.8.7', port: 0 })
})

test('a socket bound to an encoded IPv6 address is where node connects to', { skip: !hasIpv6 }, async (t) => {
  await meet(t, { family: 'ipv6', host: '::1', port: 0 })
})

test('a socket bound to an encoded path is where node connects to', async (t) => {
  await meet(t, { family: 'unix', path: join(temporaryDirectory(t), 'ü.sock') })
})

/** Connects through the kernel to a server of node's. */
async function reach(t: TestContext, server: Server, address: SocketAddress): Promise<void> {
  atEnd(t, () => server.close())
  const fd = kernel.socket(domainOf(address))
  atEnd(t, () => kernel.close(fd))
  const sockaddr = encodeSockaddr(address)
  const { memory, at } = permanent(SOCKADDR_BYTES)
  memory.set(sockaddr)
  const accepted = once(server, 'connection')
  const result = kernel.connect(fd, at, sockaddr.length)
  assert.ok(result === 0 || errnoName(-result) === 'EINPROGRESS', errnoName(-result))
  const [socket] = await accepted
  socket.destroy()
}

for (const [host, family] of [
  ['127.0.0.1', 'ipv4'],
  ['::1', 'ipv6'],
] as const) {
  test(`connect(2) to an encoded ${host} reaches node's server`, { skip: family === 'ipv6' && !hasIpv6 }, async (t) => {
    const server = createServer().listen(0, host)
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    await reach(t, server, { family, host, port })
  })
}

test("connect(2) to an encoded path reaches node's server", async (t) => {
  const path = join(temporaryDirectory(t), 'a.sock')
  const server = createServer().listen(path)
  await once(server, 'listening')
  await reach(t, server, { family: 'unix', path })
})

test('isLoopback() knows the addresses of this machine alone', () => {
  const ofHost = (host: string) =>
    isLoopback(encodeSockaddr({ family: isIPv6(host) ? 'ipv6' : 'ipv4', host, port: 64_400 }))
  for (const host of ['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1']) assert.equal(ofHost(host), true, host)
  for (const host of [
    '128.0.0.1',
    '10.0.0.127',
    '::',
    '::2',
    '::ffff:10.0.0.1',
    '127::1',
    'fe80::1',
    '1::1',
    '::7f00:1',
  ])
    assert.equal(ofHost(host), false, host)
  assert.equal(isLoopback(encodeSockaddr({ family: 'unix', path: '/run/a' })), false)
})
