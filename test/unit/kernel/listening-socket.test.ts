import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import test, { type TestContext } from 'node:test'
import {
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
} from '#src/kernel/constants.js'
import { Errno } from '#src/kernel/errno.js'
import { SOCKADDR_BYTES } from '#src/kernel/kernel.js'
import { Libc } from '#src/kernel/libc.js'
import { permanent } from '#src/kernel/library.js'
import {
  admitNewClients,
  allowSharedBind,
  bindSocket,
  listenOn,
  refuseNewClients,
} from '#src/kernel/listening-socket.js'
import { setKeepAlive } from '#src/kernel/socket-option.js'
import type { SocketAddress } from '#src/model/address.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { boundPort, readOption } from '../../helpers/socket-option.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

const kernel = new Libc()
const sockaddrAt = permanent(SOCKADDR_BYTES).at
const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'))

function ipv4(host: string, port: number): SocketAddress {
  return { family: 'ipv4', host, port }
}

function bind(t: TestContext, address: SocketAddress, keepAliveMs = 60_000, reusePort = false): number {
  const fd = bindSocket(address, { keepAliveMs, reusePort })
  if (fd >= 0) atEnd(t, () => kernel.close(fd))
  return fd
}

/** Accepts the client that is about to come. */
async function acceptOne(t: TestContext, fd: number): Promise<number> {
  let accepted = -1
  await waitUntil('a client is accepted', () => {
    accepted = kernel.accept(fd, sockaddrAt)
    return accepted >= 0
  })
  atEnd(t, () => kernel.close(accepted))
  return accepted
}

async function connectTo(t: TestContext, port: number, host = '127.0.0.1'): Promise<void> {
  const client = connect(port, host)
  atEnd(t, () => client.destroy())
  await once(client, 'connect')
}

const keepAliveOf = (fd: number) => [
  readOption(fd, SOL_SOCKET, SO_KEEPALIVE),
  readOption(fd, IPPROTO_TCP, TCP_KEEPIDLE),
  readOption(fd, IPPROTO_TCP, TCP_KEEPINTVL),
  readOption(fd, IPPROTO_TCP, TCP_KEEPCNT),
]

test('bindSocket() makes sockets whose clients inherit TCP_NODELAY and the keep-alive times', async (t) => {
  const fd = bind(t, ipv4('127.0.0.1', 0), 90_000)
  assert.equal(listenOn(fd, 8), 0)
  await connectTo(t, boundPort(fd))
  const accepted = await acceptOne(t, fd)
  assert.equal(readOption(accepted, IPPROTO_TCP, TCP_NODELAY), 1)
  assert.deepEqual(keepAliveOf(accepted), [1, 90, 30, 3])
})

test('setKeepAlive() on a listening socket holds for clients who are accepted later; Infinity turns it off', async (t) => {
  const fd = bind(t, ipv4('127.0.0.1', 0), 90_000)
  listenOn(fd, 8)
  setKeepAlive(kernel, fd, Number.POSITIVE_INFINITY)
  await connectTo(t, boundPort(fd))
  assert.equal(readOption(await acceptOne(t, fd), SOL_SOCKET, SO_KEEPALIVE), 0)
  setKeepAlive(kernel, fd, 1500)
  await connectTo(t, boundPort(fd))
  assert.deepEqual(keepAliveOf(await acceptOne(t, fd)), [1, 2, 1, 3])
})

test('setKeepAlive() stays within what Linux takes', (t) => {
  const fd = bind(t, ipv4('127.0.0.1', 0), 1)
  assert.deepEqual(keepAliveOf(fd), [1, 1, 1, 3])
  setKeepAlive(kernel, fd, 365 * 86_400_000)
  assert.deepEqual(keepAliveOf(fd), [1, 32_767, 10_922, 3])
})

test('bindSocket() lets no client in before listenOn()', async (t) => {
  const fd = bind(t, ipv4('127.0.0.1', 0))
  const client = connect(boundPort(fd), '127.0.0.1')
  const [error] = await once(client, 'error')
  assert.equal(error.code, 'ECONNREFUSED')
})

test('bindSocket() returns the negated errno, and leaves no descriptor behind', (t) => {
  assert.equal(bind(t, ipv4('192.0.2.1', 0)), -Errno.EADDRNOTAVAIL)
  const fd = bind(t, ipv4('127.0.0.1', 0))
  listenOn(fd, 8)
  const probe = kernel.socket(2)
  kernel.close(probe)
  for (let n = 0; n < 5; n++) assert.equal(bind(t, ipv4('127.0.0.1', boundPort(fd))), -Errno.EADDRINUSE)
  const again = kernel.socket(2)
  kernel.close(again)
  assert.equal(again, probe)
  assert.equal(listenOn(again, 8), -Errno.EBADF)
})

test('refuseNewClients() drops the SYN of a new client, who gets through after admitNewClients()', async (t) => {
  const fd = bind(t, ipv4('127.0.0.1', 0))
  listenOn(fd, 8)
  const port = boundPort(fd)
  assert.equal(refuseNewClients(fd), 0)
  const client = connect(port, '127.0.0.1')
  atEnd(t, () => client.destroy())
  let outcome = 'none'
  client.once('connect', () => {
    outcome = 'connected'
  })
  client.once('error', (error) => {
    outcome = error.message
  })
  // The SYN is sent and dropped within the call; a second client that gets through elsewhere shows that time has passed.
  const other = bind(t, ipv4('127.0.0.1', 0))
  listenOn(other, 8)
  for (let n = 0; n < 5; n++) {
    await connectTo(t, boundPort(other))
    await acceptOne(t, other)
  }
  assert.equal(outcome, 'none')
  assert.equal(kernel.accept(fd, sockaddrAt), -Errno.EAGAIN)
  assert.equal(admitNewClients(fd), 0)
  // Its next SYN comes a second after the first.
  await waitUntil('the client is connected', () => outcome !== 'none')
  assert.equal(outcome, 'connected')
  await acceptOne(t, fd)
})

test('refuseNewClients() keeps those who are queued already, and what they send', async (t) => {
  const fd = bind(t, ipv4('127.0.0.1', 0))
  listenOn(fd, 8)
  const client = connect(boundPort(fd), '127.0.0.1')
  atEnd(t, () => client.destroy())
  await once(client, 'connect')
  refuseNewClients(fd)
  const accepted = await acceptOne(t, fd)
  // A client whose handshake ends behind the filter has it on its own socket.
  assert.equal(refuseNewClients(accepted), 0)
  client.write('hello')
  const { memory, at } = permanent(16)
  await waitUntil('the bytes are there', () => kernel.recv(accepted, at, 16, 0) === 5)
  assert.equal(memory.toString('utf8', 0, 5), 'hello')
})

test('bindSocket() shares a port with a socket of an overlapping address only where both allow it', (t) => {
  const one = bind(t, ipv4('127.0.0.1', 0))
  listenOn(one, 8)
  const port = boundPort(one)
  assert.equal(bind(t, ipv4('0.0.0.0', port)), -Errno.EADDRINUSE)
  assert.equal(bind(t, ipv4('0.0.0.0', port), 1000, true), -Errno.EADDRINUSE)
  assert.equal(allowSharedBind(one), 0)
  assert.equal(bind(t, ipv4('0.0.0.0', port)), -Errno.EADDRINUSE)
  const all = bind(t, ipv4('0.0.0.0', port), 1000, true)
  assert.ok(all >= 0)
  assert.equal(listenOn(all, 8), 0)
})

test('bindSocket() binds [::] for IPv6 alone, beside 0.0.0.0 on the same port', { skip: !hasIpv6 }, async (t) => {
  const four = bind(t, ipv4('0.0.0.0', 0))
  const port = boundPort(four)
  const six = bind(t, { family: 'ipv6', host: '::', port })
  assert.ok(six >= 0)
  assert.equal(readOption(six, IPPROTO_IPV6, IPV6_V6ONLY), 1)
  listenOn(four, 8)
  listenOn(six, 8)
  await connectTo(t, port, '::1')
  await acceptOne(t, six)
  await connectTo(t, port)
  assert.equal(kernel.accept(six, sockaddrAt), -Errno.EAGAIN)
  await acceptOne(t, four)
})
