import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reactor } from '#src/dataplane/reactor.js'
import { defaultTuning } from '#src/dataplane/tuning.js'
import { noHostility } from './adversary.ts'
import { MainEvent } from './main-thread.ts'
import { Random } from './random.ts'
import { createSnapshot, Memory, type Rig, startReactor } from './rig.ts'
import { type Client, SimKernel, type Surroundings } from './sim-kernel.ts'
import type { SimListener } from './sim-listener.ts'
import type { SimSocket } from './sim-socket.ts'

const FEW = 1000
const MANY = 200_000
/** Connections among all that do something while the work is counted. */
const BUSY = 500
const MESSAGE_BYTES = 100

test(`Reactor does the same work for an event at ${FEW} connections and at ${MANY}`, () => {
  const few = measure(FEW)
  const many = measure(MANY)
  assert.equal(few.events, BUSY)
  assert.deepEqual(many, few)
  // A message is read and written; its event is waited for together with others.
  assert.ok(few.calls <= 2 * few.events + few.turns, `${few.calls} calls for ${few.events} events`)
})

test(`Reactor gives back everything that ${MANY} connections held`, () => {
  const crowd = new Crowd(MANY)
  crowd.connectAll()
  assert.equal(crowd.reactor.core.slots.used, MANY)
  crowd.endAll()
  assert.equal(crowd.reactor.core.slots.used, 0)
  assert.equal(crowd.reactor.core.timers.armed, 0)
  assert.equal(crowd.reactor.core.pool.used, 0)
  assert.equal(crowd.kernel.descriptors.sockets, 0)
})

// A worker that left might have been the one that epoll had woken: its clients waited until the next one came.
test('Reactor accepts whoever waits when its worker leaves', () => {
  const crowd = new Crowd(20)
  crowd.connectSome(10)
  crowd.leave(10)
  assert.equal(crowd.waiting, 0)
  assert.equal(crowd.reactor.core.slots.used, 20)
})

/** What the reactor did while BUSY of `connections` clients sent one message each. */
interface Work {
  readonly events: number
  readonly calls: number
  readonly turns: number
  /** Connections whose timer was looked at. */
  readonly timersFired: number
  readonly slotsGrown: number
  /** Times that a connection's phase or a socket's tag was read. */
  readonly slotsRead: number
}

function measure(connections: number): Work {
  const crowd = new Crowd(connections)
  crowd.connectAll()
  const { kernel, reactor } = crowd
  const { core } = reactor
  const before = { events: kernel.events, calls: kernel.calls, turns: kernel.turns, capacity: core.slots.capacity }
  let timersFired = 0
  const cancel = core.timers.cancel.bind(core.timers)
  core.timers.cancel = (connection) => {
    timersFired++
    cancel(connection)
  }
  let slotsRead = 0
  const countRead = () => {
    slotsRead++
  }
  core.slots.phase = counted(core.slots.phase, countRead)
  core.slots.tag = counted(core.slots.tag, countRead)
  const stride = Math.floor(connections / BUSY)
  for (let i = 0; i < BUSY; i++) crowd.clients[i * stride]?.write(MESSAGE_BYTES)
  crowd.settle()
  assert.equal(crowd.bytesAtBackends, BUSY * MESSAGE_BYTES)
  return {
    events: kernel.events - before.events,
    calls: kernel.calls - before.calls,
    turns: kernel.turns - before.turns,
    timersFired,
    slotsGrown: core.slots.capacity - before.capacity,
    slotsRead,
  }
}

function counted<T extends object>(array: T, onRead: () => void): T {
  return new Proxy(array, {
    get(target, key) {
      onRead()
      return Reflect.get(target, key)
    },
  })
}

/** Idle connections, as many as wanted: nothing of a peer but its socket. */
class Crowd implements Surroundings {
  readonly kernel: SimKernel
  readonly clients: SimSocket[] = []
  bytesAtBackends = 0
  readonly #backends: SimSocket[] = []
  readonly #listener: SimListener
  readonly #rig: Rig
  readonly #count: number
  readonly #client: Client = passivePeer('client')
  readonly #backend: Client = passivePeer('backend')

  constructor(count: number) {
    this.#count = count
    this.kernel = new SimKernel(new Random(1), noHostility())
    this.kernel.minimumRoom = 64 * 1024
    this.kernel.maximumRoom = 64 * 1024
    // Each shutdown(2) is an event on its own socket, which asks for nothing.
    this.kernel.maxIdleTurns = count
    this.kernel.surround(this)
    this.#listener = this.kernel.openListener('listener', 443, 1000)
    const snapshot = createSnapshot([this.#listener], {
      backends: 3,
      maxConnections: Number.POSITIVE_INFINITY,
      connectionLimit: count,
      pendingBytes: 1024 * 1024,
      onUnavailable: 'reset',
      idleMs: 600_000,
      halfClosedMs: 30_000,
      maxDurationMs: Number.POSITIVE_INFINITY,
      connectMs: 5000,
      attempts: 3,
      balance: 'round-robin',
      stickyMs: 0,
      earlyResetMs: 0,
    })
    this.#rig = startReactor(Reactor, this.kernel, new Memory(count), defaultTuning, snapshot)
  }

  get reactor(): Reactor {
    return this.#rig.reactor
  }

  /** Clients that nobody has accepted. */
  get waiting(): number {
    return this.#listener.waiting.length
  }

  connectAll(): void {
    this.connectSome(this.#count)
    assert.equal(this.reactor.core.slots.used, this.#count)
  }

  connectSome(count: number): void {
    this.#turn()
    for (let i = 0; i < count; i++) this.#offer()
    while (this.waiting > 0) this.#turn()
    this.settle()
  }

  /** So many clients come, and the worker is told that it is one too many before it looks after them. */
  leave(count: number): void {
    for (let i = 0; i < count; i++) this.#offer()
    this.#rig.main.fire(MainEvent.retire)
    this.settle()
  }

  #offer(): void {
    const socket = this.kernel.createSocket('client')
    socket.remote = this.#client
    socket.establish()
    this.clients.push(socket)
    while (!this.#listener.offer(socket)) this.#turn()
  }

  endAll(): void {
    for (const client of this.clients) client.end()
    this.settle()
    for (const backend of this.#backends) backend.end()
    this.settle()
  }

  /** Takes turns until nothing is ready. */
  settle(): void {
    let events = -1
    while (events !== this.kernel.events) {
      events = this.kernel.events
      this.#turn()
    }
  }

  #turn(): void {
    this.reactor.turn()
    assert.equal(this.kernel.failure, '')
  }

  dial(socket: SimSocket): number {
    socket.remote = this.#backend
    this.#backends.push(socket)
    socket.establish()
    return 0
  }

  fill(): void {}

  inspect(socket: SimSocket, _from: Uint8Array, _offset: number, length: number): string {
    socket.taken += length
    this.bytesAtBackends += length
    return ''
  }

  onAccept(): void {}
  onWatch(): void {}
  onClose(): void {}

  beforeSleep(): string {
    return ''
  }
}

function passivePeer(label: string): Client {
  return { label, stream: 1, port: 40_000, closed: false, onRoom() {}, onBytes() {}, onReset() {} }
}
