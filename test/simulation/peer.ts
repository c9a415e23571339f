import type { Random } from './random.ts'
import type { Client } from './sim-kernel.ts'
import type { SimSocket } from './sim-socket.ts'
import type { Timed, Timeline } from './timeline.ts'

/** How a peer ends its side: see {@link Behaviour.ending}. */
export type Ending = 'half-close' | 'last' | 'close' | 'reset' | 'silent'

/** What one client or backend does on one connection. */
export interface Behaviour {
  /** Bytes it writes, and at most at once. */
  readonly total: number
  readonly chunk: number
  /** Longest pause between two steps. */
  readonly gapMs: number
  /** Reads all there is, a few bytes at a step, or nothing at all. */
  readonly reading: 'eager' | 'slow' | 'never'
  /** Reads nothing before this much time has passed since the connection stood. */
  readonly readPauseMs: number
  /** Writes nothing before something has come. */
  readonly waits: boolean
  /** The end comes in one packet with the last bytes. */
  readonly endWithData: boolean
  /**
   * `half-close`: FIN after the last byte, reads to the end. `last`: waits for the other's FIN before its own. `close`:
   * close(2) after the last byte, whatever comes. `reset`: a reset after `resetAt` bytes. `silent`: never ends.
   */
  readonly ending: Ending
  readonly resetAt: number
  /** Sends urgent data, which the proxy need not pass on, now and then. */
  readonly urgent: boolean
}

/** With `brief`, connections are over almost at once, so that slots and descriptors are used again in the same turn. */
export function drawBehaviour(random: Random, isClient: boolean, brief: boolean): Behaviour {
  const total = brief ? random.below(4) : drawTotal(random)
  return {
    total,
    chunk: random.pick([1, 3, 16, 40, 100]),
    gapMs: random.pick(brief ? [0.01, 0.05, 0.3] : [0.01, 0.05, 0.05, 0.5, 0.5, 4, 60]),
    reading: random.chance(24) ? 'never' : random.chance(200) ? 'slow' : 'eager',
    readPauseMs: random.chance(120) ? random.between(1, 300) : 0,
    waits: !isClient && random.chance(500),
    endWithData: random.chance(512),
    ending: drawEnding(random),
    resetAt: random.below(total + 1),
    urgent: random.chance(40),
  }
}

function drawTotal(random: Random): number {
  const kind = random.below(10)
  if (kind === 0) return 0
  if (kind < 4) return random.between(1, 40)
  return kind < 9 ? random.between(1, 300) : random.between(300, 1200)
}

function drawEnding(random: Random): Ending {
  const kind = random.below(100)
  if (kind < 50) return 'half-close'
  if (kind < 76) return 'last'
  if (kind < 87) return 'close'
  return kind < 97 ? 'reset' : 'silent'
}

/** A client or a backend on one connection: a script that goes on when its time has come or something happens to it. */
export class Peer implements Client, Timed {
  readonly label: string
  readonly stream: number
  readonly port: number
  readonly behaviour: Behaviour
  readonly #random: Random
  readonly #timeline: Timeline
  readonly #clock: { nowMs(): number }
  socket: SimSocket | null = null
  /** It called close(2). */
  closed = false
  /** It has nothing left to do. */
  over = false
  sawEnd = false
  sawReset = false
  /** It sent a reset, whether it wanted to or closed with bytes unread. */
  didReset = false
  #startedAtMs = -1
  #scheduled = false
  readonly #onStep: ((peer: Peer, did: string) => void) | null

  constructor(
    label: string,
    stream: number,
    port: number,
    behaviour: Behaviour,
    world: {
      random: Random
      timeline: Timeline
      clock: { nowMs(): number }
      onStep: ((peer: Peer, did: string) => void) | null
    },
  ) {
    this.label = label
    this.stream = stream
    this.port = port
    this.behaviour = behaviour
    this.#random = world.random
    this.#timeline = world.timeline
    this.#clock = world.clock
    this.#onStep = world.onStep
  }

  /** Its connection stood at some time. */
  get started(): boolean {
    return this.#startedAtMs >= 0
  }

  onRoom(): void {
    if (this.#startedAtMs < 0) this.#startedAtMs = this.#clock.nowMs()
    this.#schedule()
  }

  onBytes(): void {
    this.#schedule()
  }

  onReset(): void {
    if (this.over) return
    this.sawReset = true
    this.over = true
    this.#onStep?.(this, 'sees a reset')
  }

  fire(): void {
    this.#scheduled = false
    const { socket } = this
    if (this.over || socket === null) return
    this.#read(socket)
    this.#write(socket)
    if (!this.over) this.#end(socket)
    if (!this.over && this.#hasWork(socket)) this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || this.over || this.#startedAtMs < 0) return
    this.#scheduled = true
    const nowMs = this.#clock.nowMs()
    const atMs = nowMs + (this.behaviour.gapMs * this.#random.between(1, 1024)) / 1024
    this.#timeline.add(this.#onlyReads ? Math.max(atMs, this.#readsFromMs) : atMs, this, 0)
  }

  #read(socket: SimSocket): void {
    const { reading } = this.behaviour
    if (reading === 'never' || this.#clock.nowMs() < this.#readsFromMs) return
    const count = reading === 'slow' ? Math.min(socket.deliverable, this.#random.between(1, 16)) : socket.deliverable
    if (count > 0) socket.take(count)
    if (count > 0) this.#onStep?.(this, `reads ${count}`)
    if (socket.atEnd && !this.sawEnd) {
      this.sawEnd = true
      this.#onStep?.(this, 'sees the end')
    }
  }

  get #readsFromMs(): number {
    return this.#startedAtMs + this.behaviour.readPauseMs
  }

  /** There is nothing to do but to read, so that a pause in reading may be slept through. */
  get #onlyReads(): boolean {
    return this.socket !== null && !this.#writes(this.socket)
  }

  #write(socket: SimSocket): void {
    const { behaviour } = this
    if (behaviour.waits && socket.taken === 0 && !this.sawEnd) return
    const limit = behaviour.ending === 'reset' ? behaviour.resetAt : behaviour.total
    const most = Math.min(behaviour.chunk, limit - socket.written, socket.roomToWrite)
    if (most <= 0) return
    const count = this.#random.between(1, most)
    this.#onStep?.(this, `writes ${count}`)
    socket.write(count)
    if (behaviour.urgent && this.#random.chance(300)) {
      this.#onStep?.(this, 'sends urgent data')
      socket.urge()
    }
  }

  #end(socket: SimSocket): void {
    const { behaviour } = this
    if (behaviour.ending === 'reset') {
      if (socket.written >= behaviour.resetAt) this.#reset(socket)
      return
    }
    if (socket.written < behaviour.total || behaviour.ending === 'silent') return
    // Without `endWithData` the FIN waits for the step after the last bytes.
    if (!behaviour.endWithData && !socket.endWritten && this.#random.chance(512)) return
    if (behaviour.ending === 'close') this.#close(socket)
    else this.#endCleanly(socket)
  }

  #endCleanly(socket: SimSocket): void {
    if (this.behaviour.ending === 'last' && !this.sawEnd) return
    if (!socket.endWritten) {
      this.#onStep?.(this, 'sends FIN')
      socket.end()
    }
    if (this.sawEnd) this.over = true
  }

  /** close(2): with bytes unread it is a reset, and what comes later is answered with one. */
  #close(socket: SimSocket): void {
    if (socket.deliverable > 0) {
      this.#reset(socket)
      return
    }
    this.closed = true
    this.over = true
    this.#onStep?.(this, 'closes')
    socket.end()
  }

  #reset(socket: SimSocket): void {
    this.didReset = true
    this.over = true
    this.closed = true
    this.#onStep?.(this, 'resets')
    socket.resetByRemote()
  }

  /** Whether it goes on by itself. Else it waits for {@link onRoom} or {@link onBytes}. */
  #hasWork(socket: SimSocket): boolean {
    const reads = this.behaviour.reading !== 'never' && (socket.deliverable > 0 || (socket.atEnd && !this.sawEnd))
    return reads || this.#writes(socket)
  }

  /** Whether it has bytes or an end to send, and may send them now. */
  #writes(socket: SimSocket): boolean {
    const { behaviour } = this
    if (behaviour.waits && socket.taken === 0 && !this.sawEnd) return false
    if (socket.written < (behaviour.ending === 'reset' ? behaviour.resetAt : behaviour.total))
      return socket.roomToWrite > 0
    return behaviour.ending !== 'silent' && !socket.endWritten && (behaviour.ending !== 'last' || this.sawEnd)
  }
}
