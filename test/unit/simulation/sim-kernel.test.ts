import assert from 'node:assert/strict'
import { beforeEach, suite, test } from 'node:test'
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  MSG_PEEK,
  SHUT_WR,
} from '#src/kernel/constants.js'
import { Errno } from '#src/kernel/errno.js'
import type { EpollEvents } from '#src/kernel/kernel.js'
import { noHostility } from '../../simulation/adversary.ts'
import { Random } from '../../simulation/random.ts'
import { type Client, SimKernel } from '../../simulation/sim-kernel.ts'
import type { SimListener } from '../../simulation/sim-listener.ts'
import { SimSocket } from '../../simulation/sim-socket.ts'

const STREAM = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET
const ROOM = 12

let kernel: SimKernel
let epoll: number
let listener: SimListener
let socket: SimSocket
let memory: Uint8Array
let at: number
const events: EpollEvents = { words: new Int32Array(24), address: 0, capacity: 8, stride: 3, dataWord: 1 }

/** The mask that epoll_wait reports for the socket; 0 when it reports nothing. */
function wait(): number {
  const count = kernel.epollWait(epoll, events, 0)
  return count === 0 ? 0 : events.words[0]!
}

function watch(): void {
  assert.equal(kernel.epollCtl(epoll, EPOLL_CTL_ADD, socket.fd, STREAM, 7, 1), 0)
}

beforeEach(() => {
  kernel = new SimKernel(new Random(1), noHostility())
  kernel.minimumRoom = ROOM
  kernel.maximumRoom = ROOM
  memory = new Uint8Array(256)
  at = kernel.addressOf(memory)
  epoll = kernel.epollCreate()
  listener = kernel.openListener('listener', 443, 2)
  socket = connectClient()
  assert.equal(kernel.accept(listener.fd, at), socket.fd)
})

function connectClient(): SimSocket {
  const created = kernel.createSocket('client')
  created.remote = peer()
  created.establish()
  listener.offer(created)
  return created
}

function peer(): Client {
  return { label: 'peer', stream: 1, port: 40_000, closed: false, onRoom() {}, onBytes() {}, onReset() {} }
}

suite('SimKernel.epollWait()', () => {
  test('reports what is ready when a socket is added, once', () => {
    socket.write(3)
    watch()
    assert.equal(wait(), EPOLLIN | EPOLLOUT)
    assert.equal(wait(), 0)
  })

  test('reports IN and OUT together at every arrival', () => {
    watch()
    assert.equal(wait(), EPOLLOUT)
    socket.write(1)
    assert.equal(wait(), EPOLLIN | EPOLLOUT)
    socket.write(1)
    assert.equal(wait(), EPOLLIN | EPOLLOUT)
  })

  test('merges bytes and a FIN into one edge', () => {
    watch()
    wait()
    socket.write(2)
    socket.end()
    assert.equal(wait(), EPOLLIN | EPOLLOUT | EPOLLRDHUP)
    assert.equal(kernel.recv(socket.fd, at, 100, 0), 2)
    assert.equal(wait(), 0)
    assert.equal(kernel.recv(socket.fd, at, 100, 0), 0)
  })

  test('reports again what is ready after EPOLL_CTL_MOD', () => {
    socket.write(1)
    watch()
    wait()
    kernel.epollCtl(epoll, EPOLL_CTL_MOD, socket.fd, STREAM, 7, 1)
    assert.equal(wait(), EPOLLIN | EPOLLOUT)
  })

  test('reports room only after a write found none, and once a third of it is free', () => {
    watch()
    wait()
    assert.equal(kernel.send(socket.fd, at, ROOM, 0), ROOM)
    socket.take(2)
    assert.equal(wait(), 0)
    assert.equal(kernel.send(socket.fd, at, ROOM, 0), 2)
    socket.take(2)
    assert.equal(wait(), 0)
    socket.take(3)
    assert.equal(wait(), EPOLLOUT)
  })

  test('reports a reset as everything at once', () => {
    watch()
    wait()
    socket.resetByRemote()
    assert.equal(wait(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR)
  })

  test('reports HUP once both directions have ended', () => {
    watch()
    socket.end()
    kernel.shutdown(socket.fd, SHUT_WR)
    assert.equal(wait(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP)
  })

  test('reports a listener as long as somebody waits', () => {
    kernel.epollCtl(epoll, EPOLL_CTL_ADD, listener.fd, EPOLLIN | EPOLLEXCLUSIVE, -2, 0)
    connectClient()
    assert.equal(wait(), EPOLLIN)
    assert.equal(wait(), EPOLLIN)
    kernel.accept(listener.fd, at)
    assert.equal(wait(), 0)
  })

  test('lets virtual time go by until the timeout', () => {
    const before = kernel.nowMs()
    assert.equal(kernel.epollWait(epoll, events, 500), 0)
    assert.ok(kernel.nowMs() - before >= 500)
  })

  test('fails when the reactor comes back again and again for nothing', () => {
    for (let i = 0; i <= kernel.maxIdleTurns; i++) wait()
    assert.match(kernel.failure, /busy loop/)
  })
})

suite('SimKernel.recv()', () => {
  test('gives bytes that came before a reset, then the error, then the end', () => {
    socket.write(2)
    socket.resetByRemote()
    assert.equal(kernel.recv(socket.fd, at, 100, 0), 2)
    assert.equal(kernel.recv(socket.fd, at, 100, 0), -Errno.ECONNRESET)
    assert.equal(kernel.recv(socket.fd, at, 100, 0), 0)
  })

  test('hides a reset that came after a FIN', () => {
    socket.end()
    socket.resetByRemote()
    assert.equal(kernel.recv(socket.fd, at, 100, 0), 0)
    assert.equal(kernel.send(socket.fd, at, 1, 0), -Errno.EPIPE)
  })

  test('stops at urgent data, and forgets it with the next read but not with a peek', () => {
    watch()
    socket.write(2)
    socket.urge()
    socket.write(2)
    assert.equal(wait() & EPOLLPRI, EPOLLPRI)
    assert.equal(kernel.recv(socket.fd, at, 100, 0), 2)
    assert.equal(kernel.recv(socket.fd, at, 100, MSG_PEEK), 2)
    assert.equal(socket.poll() & EPOLLPRI, EPOLLPRI)
    assert.equal(kernel.recv(socket.fd, at, 100, 0), 2)
    assert.equal(socket.poll() & EPOLLPRI, 0)
  })

  test('follows a short read with an edge for the rest', () => {
    kernel.hostility.shortRead = 1024
    watch()
    wait()
    socket.write(8)
    wait()
    const first = kernel.recv(socket.fd, at, 100, 0)
    assert.ok(first < 8)
    assert.equal(kernel.recv(socket.fd, at, 100, 0), -Errno.EAGAIN)
    assert.equal(kernel.epollWait(epoll, events, 10), 1)
    assert.equal(socket.readable, 8 - first)
  })
})

suite('SimKernel.close()', () => {
  test('resets the peer when bytes were left unread', () => {
    socket.write(1)
    kernel.close(socket.fd)
    assert.equal(socket.resetSent, true)
  })

  test('ends the stream when all was read', () => {
    kernel.close(socket.fd)
    assert.equal(socket.resetSent, false)
    assert.equal(socket.atEnd, true)
  })

  test('frees the number for the next descriptor', () => {
    const { fd } = socket
    kernel.close(fd)
    assert.equal(kernel.socket(2), fd)
  })

  test('removes what epoll had ready', () => {
    socket.write(1)
    watch()
    kernel.close(socket.fd)
    assert.equal(wait(), 0)
  })

  test('of a descriptor that is not open is misuse', () => {
    const { fd } = socket
    kernel.close(fd)
    kernel.close(fd)
    assert.match(kernel.failure, /descriptor misuse/)
  })
})

suite('SimKernel.connect()', () => {
  test('of a socket that is watched before reports HUP and OUT', () => {
    const fd = kernel.socket(2)
    kernel.epollCtl(epoll, EPOLL_CTL_ADD, fd, STREAM, 9, 1)
    assert.equal(wait(), EPOLLOUT | EPOLLHUP)
  })

  test('that is refused leaves its error to SO_ERROR, once', () => {
    const fd = kernel.socket(2)
    const dialled = kernel.descriptors.at(fd)
    assert.ok(dialled instanceof SimSocket)
    dialled.phase = 'connecting'
    dialled.resetByRemote()
    assert.equal(kernel.socketError(fd), Errno.ECONNREFUSED)
    assert.equal(kernel.socketError(fd), 0)
  })
})

suite('SimKernel.copy()', () => {
  test('outside registered memory is a failure', () => {
    kernel.copy(at, at + 250, 10)
    assert.match(kernel.failure, /out of bounds/)
  })
})
