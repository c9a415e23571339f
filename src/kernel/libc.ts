import {
  IPPROTO_TCP,
  MSG_NOSIGNAL,
  SO_ERROR,
  SO_LINGER,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_CONGESTION,
} from './constants.ts'
import type { EpollEvents, Kernel } from './kernel.ts'
import { SOCKADDR_BYTES } from './kernel.ts'
import { addressOf, checked, declare, lastErrno, permanent } from './library.ts'
import { isLoopback } from './sockaddr.ts'

const c = {
  accept4: declare('int accept4(int, uintptr_t, uintptr_t, int)'),
  close: declare('int close(int)'),
  connect: declare('int connect(int, uintptr_t, uint32_t)'),
  epollCreate1: declare('int epoll_create1(int)'),
  epollCtl: declare('int epoll_ctl(int, int, int, uintptr_t)'),
  epollWait: declare('int epoll_wait(int, uintptr_t, int, int)'),
  getpeername: declare('int getpeername(int, uintptr_t, uintptr_t)'),
  getsockname: declare('int getsockname(int, uintptr_t, uintptr_t)'),
  getsockopt: declare('int getsockopt(int, int, int, uintptr_t, uintptr_t)'),
  memcpy: declare('void memcpy(uintptr_t, uintptr_t, size_t)'),
  read: declare('long read(int, uintptr_t, size_t)'),
  recv: declare('long recv(int, uintptr_t, size_t, int)'),
  send: declare('long send(int, uintptr_t, size_t, int)'),
  setsockopt: declare('int setsockopt(int, int, int, uintptr_t, uint32_t)'),
  shutdown: declare('int shutdown(int, int)'),
  socket: declare('int socket(int, int, int)'),
}

const EPOLL_CLOEXEC = SOCK_CLOEXEC

/** x86-64 packs `struct epoll_event`; every other platform aligns its data word to eight bytes. */
const packed = process.arch === 'x64' || process.arch === 'ia32'
const STRIDE_WORDS = packed ? 3 : 4
const DATA_WORD = packed ? 1 : 2

/**
 * Arguments that are passed by pointer, filled right before the call. One page for each thread, for the module lives
 * once in each.
 */
const page = permanent(64)
const words = new Int32Array(page.memory.buffer, page.memory.byteOffset, 16)
const EVENT_WORD = 0
const VALUE_WORD = 4
const LINGER_WORD = 6
const LENGTH_WORD = 8
const at = (word: number) => page.at + 4 * word
const eventAt = at(EVENT_WORD)
const valueAt = at(VALUE_WORD)
const lingerAt = at(LINGER_WORD)
const lengthAt = at(LENGTH_WORD)
const counterAt = permanent(8).at
const peer = permanent(SOCKADDR_BYTES)
const own = permanent(SOCKADDR_BYTES)
const reno = permanent(8)
reno.memory.write('reno')

/** {@link performance.now} counts from the start of its own thread; this makes it CLOCK_MONOTONIC for all of them. */
const clockOffsetMs = measureClockOffset()

/** Linux's own socket API, through the C library. */
export class Libc implements Kernel {
  addressOf(memory: Uint8Array): number {
    return addressOf(memory)
  }

  nowMs(): number {
    return performance.now() + clockOffsetMs
  }

  wallClockMs(): number {
    return Date.now()
  }

  socket(domain: number): number {
    return checked(c.socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))
  }

  connect(fd: number, at: number, length: number): number {
    return checked(c.connect(fd, at, length))
  }

  accept(fd: number, at: number): number {
    words[LENGTH_WORD] = SOCKADDR_BYTES
    return checked(c.accept4(fd, at, lengthAt, SOCK_NONBLOCK | SOCK_CLOEXEC))
  }

  recv(fd: number, at: number, length: number, flags: number): number {
    return checked(c.recv(fd, at, length, flags))
  }

  send(fd: number, at: number, length: number, flags: number): number {
    return checked(c.send(fd, at, length, flags | MSG_NOSIGNAL))
  }

  shutdown(fd: number, how: number): number {
    return checked(c.shutdown(fd, how))
  }

  close(fd: number): number {
    return checked(c.close(fd))
  }

  setOption(fd: number, level: number, name: number, value: number): number {
    words[VALUE_WORD] = value
    return checked(c.setsockopt(fd, level, name, valueAt, 4))
  }

  isOwnPeer(fd: number): boolean {
    words[LENGTH_WORD] = SOCKADDR_BYTES
    if (c.getpeername(fd, peer.at, lengthAt) < 0) return false
    const length = words[LENGTH_WORD]!
    words[LENGTH_WORD] = SOCKADDR_BYTES
    if (c.getsockname(fd, own.at, lengthAt) < 0) return false
    return peer.memory.compare(own.memory, 0, length, 0, length) === 0
  }

  sendUnpacedOnLoopback(fd: number): number {
    words[LENGTH_WORD] = SOCKADDR_BYTES
    const found = checked(c.getpeername(fd, peer.at, lengthAt))
    if (found < 0 || !isLoopback(peer.memory)) return found
    return checked(c.setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno.at, 4))
  }

  resetOnClose(fd: number): number {
    words[LINGER_WORD] = 1
    words[LINGER_WORD + 1] = 0
    return checked(c.setsockopt(fd, SOL_SOCKET, SO_LINGER, lingerAt, 8))
  }

  socketError(fd: number): number {
    words[VALUE_WORD] = 0
    words[LENGTH_WORD] = 4
    if (c.getsockopt(fd, SOL_SOCKET, SO_ERROR, valueAt, lengthAt) < 0) return lastErrno()
    return words[VALUE_WORD] ?? 0
  }

  epollCreate(): number {
    return checked(c.epollCreate1(EPOLL_CLOEXEC))
  }

  epollCtl(epoll: number, operation: number, fd: number, mask: number, low: number, high: number): number {
    words[EVENT_WORD] = mask
    words[EVENT_WORD + DATA_WORD] = low
    words[EVENT_WORD + DATA_WORD + 1] = high
    return checked(c.epollCtl(epoll, operation, fd, eventAt))
  }

  epollWait(epoll: number, events: EpollEvents, timeoutMs: number): number {
    return checked(c.epollWait(epoll, events.address, events.capacity, timeoutMs))
  }

  copy(toAt: number, fromAt: number, length: number): void {
    c.memcpy(toAt, fromAt, length)
  }

  drainEvent(fd: number): number {
    return checked(c.read(fd, counterAt, 8))
  }
}

/** The best of several looks: a thread that is put aside between the two clocks finds an offset that is too small. */
function measureClockOffset(): number {
  let offsetMs = Number.NEGATIVE_INFINITY
  for (let look = 0; look < 8; look++) {
    offsetMs = Math.max(offsetMs, Number(process.hrtime.bigint()) / 1e6 - performance.now())
  }
  return offsetMs
}

/** Room for `capacity` events, in this platform's layout. */
export function createEpollEvents(kernel: Kernel, capacity: number): EpollEvents {
  const memory = Buffer.allocUnsafeSlow(capacity * STRIDE_WORDS * 4)
  return {
    words: new Int32Array(memory.buffer, memory.byteOffset, capacity * STRIDE_WORDS),
    address: kernel.addressOf(memory),
    capacity,
    stride: STRIDE_WORDS,
    dataWord: DATA_WORD,
  }
}
