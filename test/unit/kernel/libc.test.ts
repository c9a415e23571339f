import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import {
  AF_INET,
  AF_UNIX,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  IPPROTO_TCP,
  MSG_PEEK,
  SHUT_WR,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_CONGESTION,
} from '#src/kernel/constants.js'
import { Errno } from '#src/kernel/errno.js'
import { type EpollEvents, SOCKADDR_BYTES } from '#src/kernel/kernel.js'
import { createEpollEvents, Libc } from '#src/kernel/libc.js'
import { permanent } from '#src/kernel/library.js'
import { bindSocket, listenOn } from '#src/kernel/listening-socket.js'
import { createEvent, signalEvent } from '#src/kernel/process.js'
import { encodeSockaddr } from '#src/kernel/sockaddr.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { runScript } from '../../helpers/script.ts'
import { boundPort, readOption } from '../../helpers/socket-option.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

const kernel = new Libc()
const { memory, at } = permanent(65_536)
const sockaddr = permanent(SOCKADDR_BYTES)

function listen(t: TestContext): number {
  const fd = bindSocket({ family: 'ipv4', host: '127.0.0.1', port: 0 }, { keepAliveMs: 1000, reusePort: false })
  atEnd(t, () => kernel.close(fd))
  assert.equal(listenOn(fd, 16), 0)
  return fd
}

/** A client of node's, and the socket that the kernel has accepted for it. */
async function createPair(t: TestContext): Promise<{ client: Socket; fd: number; close(): void }> {
  const listener = listen(t)
  const client = connect({ port: boundPort(listener), host: '127.0.0.1', allowHalfOpen: true })
  atEnd(t, () => client.destroy())
  client.on('error', () => {})
  await once(client, 'connect')
  const fd = kernel.accept(listener, sockaddr.at)
  assert.ok(fd >= 0)
  let isOpen = true
  const close = () => {
    if (isOpen) kernel.close(fd)
    isOpen = false
  }
  atEnd(t, close)
  return { client, fd, close }
}

function createEpoll(t: TestContext): { epoll: number; events: EpollEvents } {
  const epoll = kernel.epollCreate()
  assert.ok(epoll >= 0)
  atEnd(t, () => kernel.close(epoll))
  return { epoll, events: createEpollEvents(kernel, 8) }
}

/** What is reported now: mask and data words of each event. */
function poll(epoll: number, events: EpollEvents): [mask: number, low: number, high: number][] {
  const count = kernel.epollWait(epoll, events, 0)
  assert.ok(count >= 0)
  return Array.from({ length: count }, (_, i) => {
    const base = i * events.stride
    const data = base + events.dataWord
    return [events.words[base]!, events.words[data]!, events.words[data + 1]!]
  })
}

async function waitReadable(fd: number): Promise<void> {
  await waitUntil('there is something to read', () => kernel.recv(fd, at, 1, MSG_PEEK) >= 0)
}

test('Libc returns the negated errno of a call that fails', async (t) => {
  const listener = listen(t)
  const { fd } = await createPair(t)
  assert.equal(kernel.accept(listener, sockaddr.at), -Errno.EAGAIN)
  assert.equal(kernel.recv(fd, at, 100, 0), -Errno.EAGAIN)
  assert.equal(-Errno.EAGAIN, -11)
  const bad = 1_000_000
  assert.equal(kernel.send(bad, at, 1, 0), -Errno.EBADF)
  assert.equal(kernel.close(bad), -Errno.EBADF)
  assert.equal(kernel.shutdown(bad, SHUT_WR), -Errno.EBADF)
  assert.equal(kernel.setOption(bad, SOL_SOCKET, SO_KEEPALIVE, 1), -Errno.EBADF)
  assert.equal(kernel.epollCtl(bad, EPOLL_CTL_ADD, fd, EPOLLIN, 0, 0), -Errno.EBADF)
  assert.equal(kernel.epollWait(bad, createEpollEvents(kernel, 1), 0), -Errno.EBADF)
  assert.equal(kernel.socketError(bad), Errno.EBADF)
  assert.equal(kernel.socket(12_345), -Errno.EAFNOSUPPORT)
})

test('Libc.accept() says who connected', async (t) => {
  const { client } = await createPair(t)
  assert.deepEqual(
    [...sockaddr.memory.subarray(0, 8)],
    [...encodeSockaddr({ family: 'ipv4', host: '127.0.0.1', port: client.localPort! }).subarray(0, 8)],
  )
})

test('Libc makes descriptors that no child inherits and that never block', async (t) => {
  const { fd } = await createPair(t)
  const { epoll } = createEpoll(t)
  const event = createEvent()
  atEnd(t, () => kernel.close(event))
  const fresh = kernel.socket(AF_INET)
  atEnd(t, () => kernel.close(fresh))
  for (const [what, number, isNonBlocking] of [
    ['accepted', fd, true],
    ['socket', fresh, true],
    ['event', event, true],
    ['epoll', epoll, false],
  ] as const) {
    const flags = Number.parseInt(/flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${number}`, 'utf8'))![1]!, 8)
    assert.ok((flags & 0o2000000) !== 0, `${what} is CLOEXEC`)
    assert.equal((flags & 0o4000) !== 0, isNonBlocking, what)
  }
})

test('Libc.recv() reads, peeks, and gives 0 at the end of the stream', async (t) => {
  const { client, fd } = await createPair(t)
  client.write('hello')
  await waitReadable(fd)
  assert.equal(kernel.recv(fd, at, 100, MSG_PEEK), 5)
  assert.equal(kernel.recv(fd, at + 10, 2, 0), 2)
  assert.equal(kernel.recv(fd, at + 12, 100, 0), 3)
  assert.equal(memory.toString('utf8', 10, 15), 'hello')
  client.end()
  await waitReadable(fd)
  assert.equal(kernel.recv(fd, at, 100, 0), 0)
})

test('Libc.send() sends, gives EAGAIN when the socket is full, and EPIPE without a signal', async (t) => {
  const { client, fd, close } = await createPair(t)
  memory.write('world')
  assert.equal(kernel.send(fd, at, 5, 0), 5)
  const [chunk] = await once(client, 'data')
  assert.equal(String(chunk), 'world')
  client.pause()
  let sent = 0
  while (sent >= 0) sent = kernel.send(fd, at, memory.length, 0)
  assert.equal(sent, -Errno.EAGAIN)
  kernel.shutdown(fd, SHUT_WR)
  assert.equal(kernel.send(fd, at, 1, 0), -Errno.EPIPE)
  kernel.resetOnClose(fd)
  close()
})

test('Libc.shutdown() ends one direction and leaves the other open', async (t) => {
  const { client, fd } = await createPair(t)
  client.resume()
  assert.equal(kernel.shutdown(fd, SHUT_WR), 0)
  await once(client, 'end')
  client.write('still here')
  await waitReadable(fd)
  assert.equal(kernel.recv(fd, at, 100, 0), 10)
})

test('Libc.resetOnClose() has the peer meet ECONNRESET, where a plain close is an end', async (t) => {
  const [reset, plain] = [await createPair(t), await createPair(t)]
  assert.equal(kernel.resetOnClose(reset.fd), 0)
  const failed = once(reset.client.resume(), 'error')
  reset.close()
  assert.equal((await failed)[0].code, 'ECONNRESET')
  const ended = once(plain.client.resume(), 'end')
  plain.close()
  await ended
})

test('Libc.socketError() tells of a failed connect once', async (t) => {
  const { epoll, events } = createEpoll(t)
  // Bound and not listening: the port refuses, and nobody else can take it.
  const closed = bindSocket({ family: 'ipv4', host: '127.0.0.1', port: 0 }, { keepAliveMs: 1000, reusePort: false })
  atEnd(t, () => kernel.close(closed))
  const fd = kernel.socket(AF_INET)
  atEnd(t, () => kernel.close(fd))
  const address = encodeSockaddr({ family: 'ipv4', host: '127.0.0.1', port: boundPort(closed) })
  sockaddr.memory.set(address)
  const result = kernel.connect(fd, sockaddr.at, address.length)
  if (result !== -Errno.ECONNREFUSED) {
    assert.equal(result, -Errno.EINPROGRESS)
    kernel.epollCtl(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 0, 0)
    await waitUntil('connecting has failed', () => poll(epoll, events).length > 0)
    assert.equal(kernel.socketError(fd), Errno.ECONNREFUSED)
  }
  assert.equal(kernel.socketError(fd), 0)
})

test('Libc.setOption() sets an option whose value is an int', async (t) => {
  const { fd } = await createPair(t)
  for (const value of [0, 1, 0]) {
    assert.equal(kernel.setOption(fd, SOL_SOCKET, SO_KEEPALIVE, value), 0)
    assert.equal(readOption(fd, SOL_SOCKET, SO_KEEPALIVE), value)
  }
})

test('Libc.sendUnpacedOnLoopback() has a socket to this machine use Reno, and tells of one that is none', async (t) => {
  const { fd } = await createPair(t)
  const name = () => {
    const value = Buffer.alloc(4)
    value.writeInt32LE(readOption(fd, IPPROTO_TCP, TCP_CONGESTION))
    return value.toString()
  }
  assert.equal(kernel.sendUnpacedOnLoopback(fd), 0)
  assert.equal(name(), 'reno')
  const unconnected = kernel.socket(AF_INET)
  atEnd(t, () => kernel.close(unconnected))
  assert.equal(kernel.sendUnpacedOnLoopback(unconnected), -Errno.ENOTCONN)
  const local = kernel.socket(AF_UNIX)
  atEnd(t, () => kernel.close(local))
  assert.equal(kernel.sendUnpacedOnLoopback(local), -Errno.ENOTCONN)
})

test('Libc.epollWait() reports an edge once, and again after MOD whatever is still ready', async (t) => {
  const { client, fd } = await createPair(t)
  const { epoll, events } = createEpoll(t)
  const mask = EPOLLIN | EPOLLET
  assert.equal(kernel.epollCtl(epoll, EPOLL_CTL_ADD, fd, mask, 7, -9), 0)
  assert.deepEqual(poll(epoll, events), [])
  client.write('abc')
  await waitReadable(fd)
  assert.deepEqual(poll(epoll, events), [[EPOLLIN, 7, -9]])
  assert.deepEqual(poll(epoll, events), [], 'the edge is over, though the bytes still wait')
  kernel.recv(fd, at, 1, 0)
  assert.deepEqual(poll(epoll, events), [])
  assert.equal(kernel.epollCtl(epoll, EPOLL_CTL_MOD, fd, mask, -2147483648, 2147483647), 0)
  assert.deepEqual(poll(epoll, events), [[EPOLLIN, -2147483648, 2147483647]])
  kernel.recv(fd, at, 10, 0)
  kernel.epollCtl(epoll, EPOLL_CTL_MOD, fd, mask, 7, 9)
  assert.deepEqual(poll(epoll, events), [], 'nothing is ready any more')
  kernel.epollCtl(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT | EPOLLET, 7, 9)
  assert.deepEqual(poll(epoll, events), [[EPOLLOUT, 7, 9]])
  assert.equal(kernel.epollCtl(epoll, EPOLL_CTL_DEL, fd, 0, 0, 0), 0)
  client.write('abc')
  await waitReadable(fd)
  assert.deepEqual(poll(epoll, events), [])
})

test('Libc.epollWait() reports several descriptors, each with its own data, at most as many as there is room for', async (t) => {
  const { epoll, events } = createEpoll(t)
  const fds = Array.from({ length: 10 }, () => createEvent())
  for (const [i, fd] of fds.entries()) {
    atEnd(t, () => kernel.close(fd))
    kernel.epollCtl(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, i, 100 + i)
    signalEvent(fd)
  }
  const seen = [...poll(epoll, events), ...poll(epoll, events)]
  assert.equal(seen.length, 10)
  assert.deepEqual(
    seen.map(([, low, high]) => high - low),
    new Array(10).fill(100),
  )
})

test('Libc.drainEvent() takes what signalEvent() has counted', (t) => {
  const { epoll, events } = createEpoll(t)
  const fd = createEvent()
  atEnd(t, () => kernel.close(fd))
  kernel.epollCtl(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 0, 0)
  assert.equal(kernel.drainEvent(fd), -Errno.EAGAIN)
  signalEvent(fd)
  signalEvent(fd)
  assert.equal(poll(epoll, events).length, 1)
  assert.equal(kernel.drainEvent(fd), 8)
  assert.equal(poll(epoll, events).length, 0)
})

test('Libc.copy() copies exactly the bytes asked for', () => {
  memory.fill(0)
  memory.write('0123456789')
  kernel.copy(at + 100, at + 2, 5)
  assert.equal(memory.toString('latin1', 98, 108), '\0\x0023456\0\0\0')
  kernel.copy(at + 100, at, 0)
  assert.equal(memory.toString('latin1', 100, 105), '23456')
})

test('Libc.nowMs() is CLOCK_MONOTONIC, the same in every thread', async (t) => {
  const drift = await runScript(
    t,
    `import { Worker } from 'node:worker_threads'
    import { Libc } from '#src/kernel/libc.js'
    const code = \`import('\${import.meta.resolve('#src/kernel/libc.js')}').then(({ Libc }) => {
      const now = () => Number(process.hrtime.bigint()) / 1e6
      const before = now()
      const at = new Libc().nowMs()
      require('node:worker_threads').parentPort.postMessage(Math.max(before - at, at - now()))
    })\`
    await new Promise((resolve) => setTimeout(resolve, 30))
    new Worker(code, { eval: true, execArgv: [] }).once('message', (drift) => console.log(drift))`,
  )
  assert.ok(Number(drift) < 1, `it differs by ${drift} ms`)
})

test('memory whose address was handed out stays what it is while garbage is collected', async (t) => {
  const output = await runScript(
    t,
    `import assert from 'node:assert/strict'
    import { once } from 'node:events'
    import { connect } from 'node:net'
    import { EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLIN, EPOLLET } from '#src/kernel/constants.js'
    import { createEpollEvents, Libc } from '#src/kernel/libc.js'
    import { permanent } from '#src/kernel/library.js'
    import * as listening from '#src/kernel/listening-socket.js'
    import { createEvent, signalEvent, raiseDescriptorLimit } from '#src/kernel/process.js'

    const kernel = new Libc()
    const sockaddrAt = permanent(112).at
    const bytes = permanent(256)
    const bytesAt = bytes.at
    const event = createEvent()
    const epoll = kernel.epollCreate()
    const events = createEpollEvents(kernel, 4)
    kernel.epollCtl(epoll, EPOLL_CTL_ADD, event, EPOLLIN, 5, 6)

    /** Frees what is unreachable and fills the holes with other bytes, of every small size. */
    function churn() {
      gc()
      const others = []
      for (let size = 8; size <= 4096; size *= 2) {
        for (let n = 0; n < 100; n++) others.push(Buffer.allocUnsafeSlow(size).fill(0xa5))
      }
      return others
    }

    for (let round = 0; round < 30; round++) {
      const others = churn()
      signalEvent(event)
      assert.equal(kernel.epollWait(epoll, events, 0), 1)
      assert.deepEqual([...events.words.subarray(events.dataWord, events.dataWord + 2)], [5, 6])
      assert.equal(kernel.drainEvent(event), 8)
      assert.equal(kernel.drainEvent(event), -11)
      const fd = listening.bindSocket(
        { family: 'ipv4', host: '127.0.0.1', port: 20000 + Math.floor(Math.random() * 10000) },
        { keepAliveMs: 1000, reusePort: false },
      )
      if (fd < 0) continue
      assert.equal(listening.listenOn(fd, 8), 0)
      assert.equal(listening.refuseNewClients(fd), 0)
      assert.equal(listening.admitNewClients(fd), 0)
      assert.equal(kernel.accept(fd, sockaddrAt), -11)
      assert.equal(kernel.resetOnClose(fd), 0)
      assert.equal(kernel.socketError(fd), 0)
      bytes.memory.fill(round, 0, 128)
      others.push(...churn())
      kernel.copy(bytesAt + 128, bytesAt, 128)
      assert.ok(bytes.memory.every((byte) => byte === round))
      kernel.close(fd)
      assert.ok(others.every((other) => other.every((byte) => byte === 0xa5)), 'the kernel wrote to memory of others')
    }
    assert.ok(raiseDescriptorLimit() > 0)
    console.log('done')`,
    { nodeOptions: ['--expose-gc'] },
  )
  assert.equal(output.trim(), 'done')
})
