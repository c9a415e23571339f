import {
  AF_INET,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  MSG_MORE,
  MSG_PEEK,
} from '#src/kernel/constants.js'
import { Errno, errnoName } from '#src/kernel/errno.js'
import { type EpollEvents, type Kernel, SOCKADDR_BYTES } from '#src/kernel/kernel.js'
import type { Hostility } from './adversary.ts'
import { DescriptorTable } from './descriptor-table.ts'
import {
  acceptErrors,
  acceptLater,
  closeErrors,
  optionErrors,
  receiveErrors,
  sendErrors,
  socketErrors,
  watchErrors,
} from './injected-errors.ts'
import { SimMemory } from './memory.ts'
import type { Random } from './random.ts'
import { describe, maskNames } from './readable.ts'
import { SimEpoll } from './sim-epoll.ts'
import type { SimFile } from './sim-file.ts'
import { SimEvent, SimListener } from './sim-listener.ts'
import { type Host, type Remote, SimSocket } from './sim-socket.ts'
import { Timeline } from './timeline.ts'

/** What lies beyond the machine, and what watches over it. */
export interface Surroundings {
  /** connect(2) to a port: settles the socket now or later and returns what connect(2) returns. */
  dial(socket: SimSocket, port: number): number
  /** The bytes of a stream come out of recv(2). */
  fill(socket: SimSocket, into: Uint8Array, offset: number, length: number): void
  /** Bytes went into send(2), from the stream position `socket.sent` on. Returns what is wrong with them, or ''. */
  inspect(socket: SimSocket, from: Uint8Array, offset: number, length: number): string
  onAccept(socket: SimSocket): void
  /** A socket was put under watch with this data word. */
  onWatch(socket: SimSocket, low: number): void
  onClose(socket: SimSocket): void
  /** The reactor is about to sleep with nothing ready. Returns what it should have done first, or ''. */
  beforeSleep(): string
}

/** A client's end of a connection. */
export interface Client extends Remote {
  readonly port: number
}

const EXCLUSIVE_MASK = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLET | EPOLLEXCLUSIVE

/** Linux, as far as a reactor sees it: in memory, in virtual time, seeded, and as hostile as it is told to be. */
export class SimKernel implements Kernel, Host {
  readonly random: Random
  readonly hostility: Hostility
  readonly timeline = new Timeline()
  readonly memory = new SimMemory()
  readonly descriptors: DescriptorTable
  /** The first thing that the reactor did wrong, or ''. */
  failure = ''
  /** Set when nothing will ever happen again: epoll_wait would sleep for ever. */
  quiescent = false
  /** System calls made. */
  calls = 0
  /** Events that epoll_wait reported. */
  events = 0
  turns = 0
  /** The reactor is taken to spin when it came back this often without anything having happened. */
  maxIdleTurns = 100
  /** Bounds of the buffers of new sockets. Bytes. */
  minimumRoom = 1
  maximumRoom = 96
  tracer: ((line: string) => void) | null = null
  #surroundings: Surroundings | null = null
  #nowMs = 1000
  /** When epoll_wait last returned. */
  #turnMs = 0
  #idleTurns = 0

  constructor(random: Random, hostility: Hostility) {
    this.random = random
    this.hostility = hostility
    this.descriptors = new DescriptorTable(hostility.descriptorLimit)
  }

  surround(surroundings: Surroundings): void {
    this.#surroundings = surroundings
  }

  get tracing(): boolean {
    return this.tracer !== null
  }

  trace(line: string): void {
    this.tracer?.(`${this.#nowMs.toFixed(3).padStart(10)}  ${line}`)
  }

  /** Notes the first fault. Only what is seen first is reported: the rest may follow from it. */
  fail(message: string): number {
    if (this.failure === '') {
      this.failure = message
      if (this.tracing) this.trace(`FAILURE: ${message}`)
    }
    return -Errno.EBADF
  }

  // What the main thread does.

  openListener(label: string, port: number, backlog: number): SimListener {
    const listener = new SimListener(label, port, backlog)
    this.descriptors.open(listener)
    return listener
  }

  /** Closes a listening socket; who still waits on it is reset. Returns how many those are. */
  closeListener(fd: number): number {
    const listener = this.descriptors.at(fd)
    if (!(listener instanceof SimListener) || listener.watcher !== null) {
      this.fail(
        `descriptor misuse: ${fd} was released, and is ${listener?.label}, watched: ${listener?.watcher !== null}`,
      )
      return 0
    }
    this.descriptors.close(listener)
    for (const socket of listener.waiting) {
      socket.closed = true
      socket.remote?.onReset()
    }
    return listener.waiting.splice(0).length
  }

  /** The proxy is gone; lets the peers end. */
  runOut(): void {
    while (this.timeline.size > 0) this.#fireNext()
  }

  openEvent(): SimEvent {
    const event = new SimEvent()
    this.descriptors.open(event)
    return event
  }

  /** A socket of the proxy; a connected one has no descriptor until it is accepted. */
  createSocket(label: string): SimSocket {
    const { random } = this
    const sendRoom = random.between(this.minimumRoom, this.maximumRoom)
    return new SimSocket(this, label, sendRoom, random.between(this.minimumRoom, this.maximumRoom))
  }

  // Kernel: memory and clocks.

  addressOf(memory: Uint8Array): number {
    return this.memory.addressOf(memory)
  }

  nowMs(): number {
    return this.#nowMs
  }

  wallClockMs(): number {
    return 1_700_000_000_000 + this.#nowMs
  }

  copy(toAt: number, fromAt: number, length: number): void {
    const from = this.memory.locate(fromAt, length)
    const start = this.memory.offset
    const to = this.memory.locate(toAt, length)
    if (from === null || to === null) this.fail(`memory: copy of ${length} bytes out of bounds`)
    else to.set(from.subarray(start, start + length), this.memory.offset)
  }

  // Kernel: sockets.

  socket(domain: number): number {
    this.#enter()
    if (this.random.chance(this.hostility.socketError)) return this.#injected('socket', this.random.pick(socketErrors))
    if (this.descriptors.full) return this.#injected('socket', Errno.EMFILE)
    const socket = this.createSocket('backend socket')
    const fd = this.descriptors.open(socket)
    this.#progress()
    return this.#done(socket, `socket(${domain})`, fd)
  }

  connect(fd: number, at: number, length: number): number {
    this.#enter()
    const socket = this.#socket(fd, 'connect')
    if (socket === null) return -Errno.EBADF
    const memory = this.memory.locate(at, length)
    if (memory === null) return this.fail('memory: connect reads a sockaddr out of bounds')
    if (socket.phase === 'connecting') return -Errno.EALREADY
    if (socket.phase !== 'fresh') return -Errno.EISCONN
    const { offset } = this.memory
    if ((memory[offset] as number) !== AF_INET) return this.fail('connect: not an AF_INET sockaddr')
    const port = ((memory[offset + 2] as number) << 8) | (memory[offset + 3] as number)
    const result = this.#surroundings?.dial(socket, port) ?? -Errno.ECONNREFUSED
    this.#progress()
    return this.#done(socket, `connect(port ${port})`, result)
  }

  accept(fd: number, at: number): number {
    this.#enter()
    const listener = this.descriptors.at(fd)
    if (!(listener instanceof SimListener)) return this.fail(`descriptor misuse: accept on ${fd}`)
    if (this.random.chance(this.hostility.falseAgain)) return this.#done(listener, 'accept', -Errno.EAGAIN)
    const waiting = listener.waiting[0]
    if (waiting === undefined) return this.#done(listener, 'accept', -Errno.EAGAIN)
    if (this.descriptors.full) return this.#injected('accept', Errno.EMFILE)
    if (this.random.chance(this.hostility.acceptError)) return this.#refuseAccept(listener, waiting)
    const memory = this.memory.locate(at, SOCKADDR_BYTES)
    if (memory === null) return this.fail('memory: accept writes a sockaddr out of bounds')
    writeSockaddr(memory, this.memory.offset, (waiting.remote as Client).port)
    listener.waiting.shift()
    this.descriptors.open(waiting)
    this.#surroundings?.onAccept(waiting)
    this.#progress()
    return this.#done(listener, `accept ${waiting.label}`, waiting.fd)
  }

  #refuseAccept(listener: SimListener, waiting: SimSocket): number {
    const errno = this.random.pick(acceptErrors)
    if (!acceptLater.has(errno)) {
      listener.waiting.shift()
      waiting.closed = true
      waiting.remote?.onReset()
      this.#progress()
    }
    return this.#injected('accept', errno)
  }

  recv(fd: number, at: number, length: number, flags: number): number {
    this.#enter()
    const socket = this.#socket(fd, 'recv')
    if (socket === null) return -Errno.EBADF
    const memory = this.memory.locate(at, length)
    const { offset } = this.memory
    if (memory === null || length <= 0) return this.fail(`memory: recv of ${length} bytes out of bounds`)
    if (socket.phase === 'connecting') return this.fail(`${socket.label}: recv before it is connected`)
    const hindrance = this.#hindrance(socket, receiveErrors)
    if (hindrance !== 0) return this.#done(socket, `recv(${length})`, hindrance)
    const before = socket.endRead
    const start = socket.consumed
    const count = socket.receive(length, (flags & MSG_PEEK) !== 0)
    if (count > 0) this.#surroundings?.fill(socket, memory, offset, count)
    if (socket.consumed !== start || before !== socket.endRead) this.#progress()
    return this.#done(socket, `recv(${length})`, count)
  }

  send(fd: number, at: number, length: number, flags: number): number {
    this.#enter()
    const socket = this.#socket(fd, 'send')
    if (socket === null) return -Errno.EBADF
    const memory = this.memory.locate(at, length)
    const { offset } = this.memory
    if (memory === null || length <= 0) return this.fail(`memory: send of ${length} bytes out of bounds`)
    if (socket.phase === 'connecting') return this.fail(`${socket.label}: send before it is connected`)
    const hindrance = this.#hindrance(socket, sendErrors)
    if (hindrance !== 0) return this.#done(socket, `send(${length})`, hindrance)
    const count = socket.roomToSend(length)
    if (count > 0) {
      // All that is offered must be right, not only what is taken.
      const fault = this.#surroundings?.inspect(socket, memory, offset, length) ?? ''
      if (fault !== '') return this.fail(fault)
      socket.acceptBytes(count, count === length && (flags & MSG_MORE) !== 0)
      this.#progress()
    }
    return this.#done(socket, `send(${length})`, count)
  }

  /** EINTR, a false EAGAIN or an error of the kernel's own, or 0. */
  #hindrance(socket: SimSocket, errors: readonly number[]): number {
    const { random, hostility } = this
    if (random.chance(hostility.interrupt)) return -Errno.EINTR
    if (socket.mayDeny && random.chance(hostility.falseAgain)) return -Errno.EAGAIN
    if (!socket.mayDeny || !random.chance(hostility.callError)) return 0
    socket.faulted = true
    return -random.pick(errors)
  }

  shutdown(fd: number, how: number): number {
    this.#enter()
    const socket = this.#socket(fd, 'shutdown')
    if (socket === null) return -Errno.EBADF
    if (how !== 1) return this.fail(`shutdown: how is ${how}, not SHUT_WR`)
    if (socket.phase === 'connecting') return this.fail('shutdown of a socket that is not connected yet')
    this.#progress()
    return this.#done(socket, 'shutdown', socket.shutdownWrite())
  }

  close(fd: number): number {
    this.#enter()
    const file = this.descriptors.at(fd)
    if (!(file instanceof SimSocket)) return this.fail(`descriptor misuse: close of ${fd}, which is no open socket`)
    if (file.watcher instanceof SimEpoll) file.watcher.forget(file)
    this.descriptors.close(file)
    file.close()
    this.#surroundings?.onClose(file)
    this.#progress()
    const result = this.random.chance(this.hostility.closeError) ? -this.random.pick(closeErrors) : 0
    return this.#done(file, `close(${fd})${file.resetSent ? ' with a reset' : ''}`, result)
  }

  setOption(fd: number, level: number, name: number, value: number): number {
    this.#enter()
    const socket = this.#socket(fd, 'setsockopt')
    if (socket === null) return -Errno.EBADF
    const refused = socket.phase === 'dead' || this.random.chance(this.hostility.optionError)
    const result = refused ? -this.random.pick(optionErrors) : 0
    return this.#done(socket, `setsockopt(${level}, ${name}, ${value})`, result)
  }

  isOwnPeer(): boolean {
    return false
  }

  sendUnpacedOnLoopback(fd: number): number {
    return this.setOption(fd, 6, 13, 0)
  }

  resetOnClose(fd: number): number {
    this.#enter()
    const socket = this.#socket(fd, 'setsockopt')
    if (socket === null) return -Errno.EBADF
    socket.linger = true
    return 0
  }

  socketError(fd: number): number {
    this.#enter()
    const socket = this.#socket(fd, 'getsockopt')
    return this.#done(socket, 'SO_ERROR', socket?.takeError() ?? 0)
  }

  // Kernel: epoll.

  epollCreate(): number {
    this.calls++
    return this.descriptors.open(new SimEpoll())
  }

  epollCtl(epollFd: number, operation: number, fd: number, mask: number, low: number, high: number): number {
    this.#enter()
    const epoll = this.descriptors.at(epollFd)
    if (!(epoll instanceof SimEpoll)) return this.fail(`descriptor misuse: epoll_ctl on ${epollFd}`)
    const file = this.descriptors.at(fd)
    if (file === null) return this.fail(`descriptor misuse: epoll_ctl of ${fd}, which is not open`)
    if ((file.watcher !== null) === (operation === EPOLL_CTL_ADD))
      return this.fail(`descriptor misuse: epoll_ctl ${operation} of ${file.label}, watched: ${file.watcher !== null}`)
    if (operation === EPOLL_CTL_DEL) {
      epoll.forget(file)
      return this.#done(file, 'EPOLL_CTL_DEL', 0)
    }
    return this.#arm(epoll, operation, file, mask, low, high)
  }

  #arm(epoll: SimEpoll, operation: number, file: SimFile, mask: number, low: number, high: number): number {
    const exclusive = (mask & EPOLLEXCLUSIVE) !== 0
    if (exclusive && (operation !== EPOLL_CTL_ADD || (mask & ~EXCLUSIVE_MASK) !== 0))
      return this.fail('epoll_ctl: EPOLLEXCLUSIVE allows ADD only, and neither RDHUP nor PRI')
    const name = operation === EPOLL_CTL_ADD ? 'EPOLL_CTL_ADD' : 'EPOLL_CTL_MOD'
    if (!(file instanceof SimEvent) && this.random.chance(this.hostility.epollError)) {
      if (file instanceof SimSocket) file.faulted = true
      return this.#done(file, name, -this.random.pick(watchErrors))
    }
    if (operation === EPOLL_CTL_ADD) {
      file.watcher = epoll
      epoll.watched++
      if (file instanceof SimSocket) this.#surroundings?.onWatch(file, low)
    }
    epoll.arm(file, mask, low, high)
    return this.#done(file, name, 0)
  }

  epollWait(epollFd: number, events: EpollEvents, timeoutMs: number): number {
    this.calls++
    this.turns++
    const epoll = this.descriptors.at(epollFd)
    if (!(epoll instanceof SimEpoll)) return this.fail(`descriptor misuse: epoll_wait on ${epollFd}`)
    if (++this.#idleTurns > this.maxIdleTurns)
      return this.fail(`busy loop: ${this.maxIdleTurns} turns and nothing happened`)
    if (this.random.chance(this.hostility.interrupt)) return -Errno.EINTR
    this.#passTime()
    const count = this.#await(epoll, events, timeoutMs)
    this.events += count
    this.#turnMs = this.#nowMs
    if (this.tracing) this.#traceBatch(events, count, timeoutMs)
    return count
  }

  /** A turn takes a moment, in which the network goes on. */
  #passTime(): void {
    const { random, hostility, timeline } = this
    this.#nowMs += random.below(32) / 1024
    while (timeline.nextMs <= this.#nowMs) this.#fireNext()
    if (random.chance(hostility.mergeEvents)) {
      for (let i = random.below(8); i > 0 && timeline.nextMs < this.#nowMs + 5; i--) this.#fireNext()
    }
    if (random.chance(hostility.spuriousEvent)) {
      this.descriptors.at(random.below(this.descriptors.bound))?.wake(0)
    }
  }

  #await(epoll: SimEpoll, events: EpollEvents, timeoutMs: number): number {
    const { timeline } = this
    const deadlineMs = timeoutMs < 0 ? Number.POSITIVE_INFINITY : this.#nowMs + timeoutMs
    let checked = timeoutMs === 0
    for (;;) {
      while (epoll.ready.length > 0) {
        const count = epoll.collect(events, this.hostility, this.random)
        if (count > 0) return count
      }
      if (timeoutMs === 0) return 0
      if (!checked) {
        const fault = this.#surroundings?.beforeSleep() ?? ''
        if (fault !== '') return this.fail(fault)
        checked = true
      }
      if (timeline.nextMs > deadlineMs || timeline.size === 0) return this.#expire(deadlineMs)
      this.#fireNext()
    }
  }

  #expire(deadlineMs: number): number {
    if (deadlineMs === Number.POSITIVE_INFINITY) this.quiescent = true
    else this.#nowMs = deadlineMs
    this.#progress()
    return 0
  }

  drainEvent(fd: number): number {
    this.#enter()
    const event = this.descriptors.at(fd)
    if (!(event instanceof SimEvent)) return this.fail(`descriptor misuse: read of ${fd}, which is no eventfd`)
    const { count } = event
    event.count = 0
    this.#progress()
    return count === 0 ? -Errno.EAGAIN : count
  }

  // Helpers.

  /** A system call begins. The network may go on before it takes effect. */
  #enter(): void {
    this.calls++
    if (this.random.chance(this.hostility.concurrency) && this.timeline.nextMs < this.#turnMs + 2) this.#fireNext()
  }

  #fireNext(): void {
    this.#nowMs = Math.max(this.#nowMs, this.timeline.nextMs)
    this.timeline.fireNext()
    this.#progress()
  }

  #progress(): void {
    this.#idleTurns = 0
  }

  #socket(fd: number, call: string): SimSocket | null {
    const file = this.descriptors.at(fd)
    if (file instanceof SimSocket) return file
    this.fail(`descriptor misuse: ${call} on ${fd}, which is ${file === null ? 'not open' : file.label}`)
    return null
  }

  #injected(call: string, errno: number): number {
    if (this.tracing) this.trace(`${call} = ${errnoName(errno)}`)
    return -errno
  }

  #done(file: SimFile | null, call: string, result: number): number {
    if (this.tracing) this.trace(`${describe(file)}: ${call} = ${result < 0 ? errnoName(-result) : result}`)
    return result
  }

  #traceBatch(events: EpollEvents, count: number, timeoutMs: number): void {
    this.trace(`epoll_wait(${timeoutMs}) = ${count}`)
    for (let i = 0; i < count; i++) {
      const at = i * events.stride
      const low = events.words[at + events.dataWord] as number
      this.trace(`    ${maskNames(events.words[at] as number)} for ${low}`)
    }
  }
}

/** The sockaddr_in of a client: 127.0.0.1 and its port. */
function writeSockaddr(memory: Uint8Array, offset: number, port: number): void {
  memory.fill(0, offset, offset + 16)
  memory[offset] = AF_INET
  memory[offset + 2] = port >> 8
  memory[offset + 3] = port & 0xff
  memory[offset + 4] = 127
  memory[offset + 7] = 1
}
