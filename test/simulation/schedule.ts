import { Reactor } from '#src/dataplane/reactor.js'
import type { Tuning } from '#src/dataplane/tuning.js'
import { drawHostility } from './adversary.ts'
import { MainEvent } from './main-thread.ts'
import { Network } from './network.ts'
import { type Limits, Oracle } from './oracle.ts'
import { Random } from './random.ts'
import { createSnapshot, Memory, type Policy, type ReactorClass, type Rig, startReactor } from './rig.ts'
import { SimKernel } from './sim-kernel.ts'
import type { SimListener } from './sim-listener.ts'
import type { SimSocket } from './sim-socket.ts'

const ALGORITHMS = ['round-robin', 'least-connections', 'random', 'random-two', 'source-hash', 'least-latency'] as const
/** Connections that a schedule's reactor has room for: so few that slots are used again and again. */
const SLOTS = 5
const MAX_TURNS = 50_000
/** Longer than anything that a peer does. */
const LONG_MS = 10_000
/** No schedule lasts so long, unless something hangs. Virtual milliseconds. */
const MAX_DURATION_MS = 600_000
const UNAVAILABLE = Buffer.from('HTTP/1.1 503 ')

export interface ScheduleOptions {
  /** The reactor to run; a mutant, perhaps. */
  readonly reactor?: ReactorClass
  /** Takes a readable line for everything that happens. */
  readonly trace?: (line: string) => void
}

export interface Failure {
  readonly seed: number
  readonly message: string
}

const memory = new Memory(SLOTS)

/** Runs one schedule: some clients, some backends, one reactor, and a kernel as hostile as the seed says. */
export function runSchedule(seed: number, options: ScheduleOptions = {}): Failure | null {
  const schedule = new Schedule(seed, options)
  const message = schedule.run()
  return message === '' ? null : { seed, message }
}

class Schedule {
  readonly #kernel: SimKernel
  readonly #network: Network
  readonly #listeners: SimListener[] = []
  readonly #oracle: Oracle
  readonly #rig: Rig
  #recordFault = ''
  #stopped = false
  readonly #onRecord = (view: DataView, offset: number): void => {
    this.#recordFault ||= this.#oracle.addRecord(view, offset)
  }

  constructor(seed: number, options: ScheduleOptions) {
    memory.clean()
    const random = new Random(seed)
    this.#kernel = new SimKernel(random, drawHostility(random))
    this.#kernel.tracer = options.trace ?? null
    if (options.trace !== undefined) this.#kernel.trace(nonZero(this.#kernel.hostility))
    this.#kernel.maximumRoom = random.pick([8, 32, 96, 96, 300])
    this.#network = new Network(this.#kernel, inspectReply)
    const count = random.between(1, 2)
    for (let i = 0; i < count; i++) {
      this.#listeners.push(this.#kernel.openListener(`listener ${i}`, 443 + i, random.between(1, 8)))
    }
    const tuning = drawTuning(random)
    const policy = drawPolicy(random)
    if (options.trace !== undefined) this.#kernel.trace(JSON.stringify({ ...tuning, ...policy }))
    this.#oracle = new Oracle(this.#network, limitsOf(policy, tuning))
    const snapshot = createSnapshot(this.#listeners, policy)
    this.#rig = startReactor(options.reactor ?? Reactor, this.#kernel, memory, tuning, snapshot)
    this.#network.mayDial = (port) => this.#rig.main.mayDial(port)
    this.#plan(random)
  }

  #plan(random: Random): void {
    const { timeline } = this.#kernel
    const start = this.#kernel.nowMs()
    this.#network.brief = random.chance(200)
    const clients = this.#network.brief ? random.between(6, 20) : random.between(1, 6)
    const spreadMs = random.pick([1, 1, 1, 5, 5, 50, 400])
    for (let i = 0; i < clients; i++) {
      const atMs = start + (spreadMs * random.below(1024)) / 1024
      this.#network.addClient(random.pick(this.#listeners), atMs)
    }
    for (let at = random.below(4); at > 0; at--) timeline.add(start + random.below(40), this.#rig.main, MainEvent.wake)
    this.#planReloads(random, start)
  }

  #planReloads(random: Random, start: number): void {
    const { timeline } = this.#kernel
    const { main } = this.#rig
    for (let left = random.chance(200) ? random.between(1, 3) : 0; left > 0; left--) {
      const atMs = start + random.below(40)
      timeline.add(atMs, main, MainEvent.prepare)
      timeline.add(atMs + random.below(10), main, random.chance(800) ? MainEvent.commit : MainEvent.discard)
    }
    const laterMs = start + random.below(random.pick([10, 100, 1000]))
    if (random.chance(80)) timeline.add(laterMs, main, MainEvent.removeListener)
    if (random.chance(40)) {
      this.#oracle.mayAbort = true
      timeline.add(laterMs, main, MainEvent.abort)
    }
    if (random.chance(40)) timeline.add(laterMs, main, MainEvent.retire)
    for (let left = random.chance(200) ? random.between(1, 4) : 0; left > 0; left--)
      timeline.add(start + random.below(60), main, MainEvent.changeMembers)
    if (random.chance(40)) {
      this.#oracle.mayEndBackend = true
      timeline.add(laterMs, main, MainEvent.endBackend)
    }
  }

  run(): string {
    const kernel = this.#kernel
    for (;;) {
      const fault = this.#turn()
      if (fault !== '') return fault
      if (this.#stopped || this.#isOver) return this.#finish()
      if (kernel.turns > MAX_TURNS || kernel.nowMs() > MAX_DURATION_MS) return this.#describeHang()
    }
  }

  #turn(): string {
    try {
      if (!this.#rig.reactor.turn()) {
        this.#stopped = true
        if (!this.#rig.main.retired) return 'the reactor stopped'
      }
    } catch (error) {
      return this.#kernel.failure || `the reactor threw: ${error instanceof Error ? error.stack : String(error)}`
    }
    memory.records.drain(this.#onRecord)
    return this.#kernel.failure || this.#recordFault
  }

  get #isOver(): boolean {
    const { timeline, descriptors } = this.#kernel
    return timeline.size === 0 && descriptors.sockets === 0 && this.#listeners.every((one) => one.waiting.length === 0)
  }

  #finish(): string {
    this.#kernel.runOut()
    const { slots, pool, timers, servings } = this.#rig.reactor.core
    if (slots.used !== 0) return `leak: ${slots.used} slots are in use, with no connection left`
    if (pool.used !== 0) return `leak: ${pool.used} chunks are in use, with no connection left`
    if (timers.armed !== 0) return `leak: ${timers.armed} timers are armed, with no connection left`
    if (servings.counts().length !== 0) return 'leak: a snapshot still counts connections'
    if (!memory.isIdle) return 'leak: a count in shared memory is not zero, with no connection left'
    return this.#oracle.finish()
  }

  #describeHang(): string {
    const { descriptors, turns } = this.#kernel
    const waiting = this.#listeners.map((listener) => listener.waiting.length).join(' and ')
    return `hang: after ${turns} turns ${descriptors.sockets} sockets are open, and ${waiting} clients wait`
  }
}

function drawTuning(random: Random): Tuning {
  const readBytes = random.pick([1, 4, 16, 32, 64])
  return {
    readBytes,
    largeReadBytes: readBytes * random.between(1, 4),
    scarceReadBytes: Math.max(1, readBytes >> random.below(3)),
    chunkBytes: random.pick([1, 8, 16, 32, 64]),
    bytesPerTurn: random.pick([1, 32, 100, 1000, 1000]),
    acceptsPerTurn: random.between(1, 4),
    acceptsPerRotation: random.between(1, 4),
    eventsPerTurn: random.pick([1, 2, 4, 16, 16]),
    timerTickMs: random.pick([1, 5, 20]),
    maxSleepMs: 500,
    resumeMs: random.pick([5, 20]),
    lingerMs: 200,
  }
}

function drawPolicy(random: Random): Policy {
  const long = random.chance(700)
  const roomy = random.chance(800)
  return {
    backends: random.between(1, 3),
    maxConnections: random.chance(100) ? random.between(1, 2) : Number.POSITIVE_INFINITY,
    connectionLimit: random.chance(100) ? random.between(1, 3) : 1000,
    pendingBytes: roomy ? 100_000 : random.below(200),
    onUnavailable: random.pick(['reset', 'close', 'http-503'] as const),
    idleMs: long ? LONG_MS : random.between(30, 1500),
    halfClosedMs: long ? LONG_MS : random.between(30, 1500),
    maxDurationMs: long || random.chance(700) ? Number.POSITIVE_INFINITY : random.between(20, 3000),
    connectMs: long ? 5000 : random.between(10, 1000),
    attempts: random.between(1, 3),
    balance: random.pick(ALGORITHMS),
    stickyMs: random.pick([0, 0, 0, 50, 10_000]),
    earlyResetMs: 100,
  }
}

function limitsOf(policy: Policy, tuning: Tuning): Limits {
  return { ...policy, tickMs: tuning.timerTickMs, areLong: policy.idleMs === LONG_MS }
}

/** Where no backend stands behind a client, it may be sent nothing but the refusal of `http-503`. */
function inspectReply(socket: SimSocket, from: Uint8Array, offset: number, length: number): string {
  const isRefusal =
    socket.sent === 0 && length > UNAVAILABLE.length && UNAVAILABLE.every((byte, i) => from[offset + i] === byte)
  return isRefusal ? '' : `bytes: ${socket.label} is sent bytes, and no backend has written any`
}

function nonZero(hostility: object): string {
  const entries = Object.entries(hostility).filter(([, value]) => value !== 0 && value !== Number.POSITIVE_INFINITY)
  return `hostility ${JSON.stringify(Object.fromEntries(entries))}`
}
