import { Errno } from '#src/kernel/errno.js'
import { findMismatch, writePattern } from './pattern.ts'
import { type Behaviour, drawBehaviour, Peer } from './peer.ts'
import type { SimKernel, Surroundings } from './sim-kernel.ts'
import type { SimListener } from './sim-listener.ts'
import { type SimSocket, SocketEvent } from './sim-socket.ts'
import type { Timed } from './timeline.ts'

/** Backends listen on the ports from here on. */
export const BACKEND_PORT = 9000
export const CLIENT_PORT = 40_000
/** Streams of clients are numbered from 1, those of backends from here on: all below 256, to fit a stream's first byte. */
const FIRST_BACKEND_STREAM = 64

const errorsAtOnce = [
  Errno.ECONNREFUSED,
  Errno.ENETUNREACH,
  Errno.EHOSTUNREACH,
  Errno.ETIMEDOUT,
  Errno.EADDRNOTAVAIL,
  Errno.EAGAIN,
  Errno.EACCES,
  Errno.EPERM,
  Errno.ECONNRESET,
  4095,
]
const errorsLater = [Errno.ECONNREFUSED, Errno.ETIMEDOUT, Errno.EHOSTUNREACH, Errno.ENETUNREACH, Errno.ECONNRESET]
const losses = [Errno.ETIMEDOUT, Errno.EHOSTUNREACH, Errno.ENETUNREACH, Errno.ECONNRESET, Errno.EPIPE]

/** Says what is wrong with bytes that the proxy sends where no backend stands behind them. */
export type InspectReply = (socket: SimSocket, from: Uint8Array, offset: number, length: number) => string

/** The peers of a schedule, and what the network does with what passes between them and the proxy. */
export class Network implements Surroundings {
  readonly kernel: SimKernel
  readonly clients: ClientArrival[] = []
  /** One for each dial that was or may be answered. */
  readonly backends: Peer[] = []
  /** The socket under each data word that is being watched. */
  readonly #bySide: (SimSocket | null)[] = []
  readonly #world
  readonly #inspectReply: InspectReply
  #check: () => string = () => ''
  accepted = 0
  /** Whether the proxy may dial the backend at a port: not one that it knows to be gone. */
  mayDial: (port: number) => boolean = () => true
  /** Connections are over almost at once. */
  brief = false

  constructor(kernel: SimKernel, inspectReply: InspectReply) {
    this.kernel = kernel
    this.#inspectReply = inspectReply
    const onStep = kernel.tracing ? (peer: Peer, did: string) => kernel.trace(`        ${peer.label} ${did}`) : null
    this.#world = { random: kernel.random, timeline: kernel.timeline, clock: kernel, onStep }
    kernel.surround(this)
  }

  /** Has `check` look at everything whenever the reactor goes to sleep. */
  watch(check: () => string): void {
    this.#check = check
  }

  /** Has a client connect at `atMs`. */
  addClient(listener: SimListener, atMs: number): void {
    const index = this.clients.length
    const behaviour = drawBehaviour(this.kernel.random, true, this.brief)
    const peer = new Peer(`client ${index}`, index + 1, CLIENT_PORT + index, behaviour, this.#world)
    const arrival = new ClientArrival(this, peer, listener)
    this.clients.push(arrival)
    this.kernel.timeline.add(atMs, arrival, 0)
    if (this.kernel.tracing) this.kernel.trace(`${peer.label}: ${describe(behaviour)}, arrives at ${atMs.toFixed(3)}`)
  }

  dial(socket: SimSocket, port: number): number {
    const { random, hostility } = this.kernel
    if (!this.mayDial(port)) return this.kernel.fail(`members: port ${port} is dialled, which is no backend any more`)
    if (random.chance(hostility.connectError)) return this.#failDial(socket)
    socket.phase = 'connecting'
    if (random.chance(hostility.blackHole)) return -Errno.EINPROGRESS
    const index = this.backends.length
    const peer = new Peer(
      `backend ${index}`,
      FIRST_BACKEND_STREAM + (index % 192),
      port,
      drawBehaviour(random, false, this.brief),
      this.#world,
    )
    this.backends.push(peer)
    peer.socket = socket
    socket.remote = peer
    if (this.kernel.tracing) this.kernel.trace(`${peer.label}: ${describe(peer.behaviour)}`)
    return this.#answerDial(socket)
  }

  #answerDial(socket: SimSocket): number {
    const { random, hostility } = this.kernel
    if (random.chance(hostility.connectAtOnce)) {
      socket.establish()
      this.mayLose(socket)
      return 0
    }
    const delayMs = random.chance(64) ? random.between(1, 400) : random.below(2048) / 1024
    this.#after(delayMs, socket, SocketEvent.connected)
    this.mayLose(socket)
    return random.chance(hostility.interrupt) ? -Errno.EINTR : -Errno.EINPROGRESS
  }

  #failDial(socket: SimSocket): number {
    const { random } = this.kernel
    if (random.chance(400)) return -random.pick(errorsAtOnce)
    socket.phase = 'connecting'
    socket.pendingError = random.pick(errorsLater)
    this.#after(random.below(4096) / 1024, socket, SocketEvent.refused)
    return -Errno.EINPROGRESS
  }

  /** Perhaps the network will give the connection up some time. */
  mayLose(socket: SimSocket): void {
    const { random, hostility } = this.kernel
    if (!random.chance(hostility.networkLoss)) return
    socket.pendingError = random.pick(losses)
    this.#after(random.below(30), socket, SocketEvent.lost)
  }

  fill(socket: SimSocket, into: Uint8Array, offset: number, length: number): void {
    const stream = socket.remote?.stream ?? 0
    writePattern(stream, socket.lastReadFrom, into, offset, length)
  }

  inspect(socket: SimSocket, from: Uint8Array, offset: number, length: number): string {
    const { partner } = socket
    const source = (partner?.remote ?? null) as Peer | null
    if (partner === null || source === null || !source.started || (partner.closed && socket.sent === 0))
      return this.#inspectReply(socket, from, offset, length)
    const { stream, label } = source
    const { sent } = socket
    if (sent + length > partner.consumed && sent + length > partner.lastReadFrom + partner.lastReadCount)
      return `bytes: ${socket.label} is sent more than ${label} wrote, at ${sent}`
    return findFault(socket, stream, label, from, offset, length)
  }

  onAccept(socket: SimSocket): void {
    this.accepted++
    this.mayLose(socket)
  }

  /** The data word's low half is the side: 2c for the client's socket of a connection, 2c + 1 for the backend's. */
  onWatch(socket: SimSocket, low: number): void {
    this.#bySide[low] = socket
    const other = this.#bySide[low ^ 1] ?? null
    if (other === null || other.closed) return
    if (other.partner !== null && other.partner.sent > 0)
      this.kernel.fail(`bytes: ${other.label} is given a second backend after bytes went to the first`)
    socket.partner = other
    other.partner = socket
  }

  onClose(socket: SimSocket): void {
    if (this.#bySide[socket.low] === socket) this.#bySide[socket.low] = null
    socket.closedAtMs = this.kernel.nowMs()
  }

  beforeSleep(): string {
    return this.#check()
  }

  #after(delayMs: number, socket: SimSocket, kind: number): void {
    this.kernel.timeline.add(this.kernel.nowMs() + delayMs, socket, kind)
  }
}

/** A client before it is in the backlog: its SYN is dropped while that is full. */
export class ClientArrival implements Timed {
  readonly peer: Peer
  readonly listener: SimListener
  readonly #network: Network
  /** It gave up before its connection was complete. */
  gaveUp = false
  #tries = 0

  constructor(network: Network, peer: Peer, listener: SimListener) {
    this.#network = network
    this.peer = peer
    this.listener = listener
  }

  fire(): void {
    const { kernel } = this.#network
    const socket = kernel.createSocket(this.peer.label)
    if (!this.listener.offer(socket)) {
      this.gaveUp = ++this.#tries === 20
      if (!this.gaveUp) kernel.timeline.add(kernel.nowMs() + kernel.random.between(5, 50), this, 0)
      return
    }
    socket.remote = this.peer
    this.peer.socket = socket
    socket.establish()
  }
}

function findFault(
  socket: SimSocket,
  stream: number,
  label: string,
  from: Uint8Array,
  offset: number,
  length: number,
): string {
  const wrong = findMismatch(stream, socket.sent, from, offset, length)
  if (wrong < 0) return ''
  return `bytes: at ${socket.sent + wrong} ${socket.label} is sent a byte that is not the one ${label} wrote there`
}

function describe(behaviour: Behaviour): string {
  const { total, chunk, gapMs, reading, readPauseMs, waits, endWithData, ending, resetAt } = behaviour
  const end = ending === 'reset' ? `reset at ${resetAt}` : ending
  return (
    `writes ${total} by ${chunk}${waits ? ' once something came' : ''}, gap ${gapMs} ms, reads ${reading}` +
    `${readPauseMs > 0 ? ` after ${readPauseMs} ms` : ''}, ${end}${endWithData ? ' with the last bytes' : ''}`
  )
}
