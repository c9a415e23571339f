import { Errno } from '#src/kernel/errno.js'
import { CauseCode, causes } from '#src/model/cause.js'
import { type AccessRecord, decodeAccessRecord } from '#src/shared/access-record.js'
import { CLIENT_PORT, type ClientArrival, type Network } from './network.ts'
import type { Peer } from './peer.ts'
import type { SimSocket } from './sim-socket.ts'

/** The timeouts that a schedule's connections have. */
export interface Limits {
  readonly idleMs: number
  readonly halfClosedMs: number
  readonly maxDurationMs: number
  readonly connectMs: number
  readonly attempts: number
  readonly tickMs: number
  /** Nothing that a peer does lasts so long that a timeout may hit it, if it means to end. */
  readonly areLong: boolean
}

/** A turn has one time, though virtual time goes on during it. */
const SLACK_MS = 5

const CLEAN: ReadonlySet<number> = new Set([CauseCode.clientClosed, CauseCode.backendClosed])
const TIMED: ReadonlySet<number> = new Set([
  CauseCode.idleTimeout,
  CauseCode.clientStalled,
  CauseCode.backendStalled,
  CauseCode.halfClosedTimeout,
])
const BEFORE_BACKEND: ReadonlySet<number> = new Set([
  CauseCode.clientAborted,
  CauseCode.connectFailed,
  CauseCode.connectTimeout,
  CauseCode.noBackend,
  CauseCode.backendsDown,
  CauseCode.backendsFull,
  CauseCode.noDescriptors,
])
/** The proxy itself may cut these short, with an end that the other peer did not make. */
const CUT: ReadonlySet<number> = new Set([
  ...TIMED,
  CauseCode.maxDuration,
  CauseCode.shutdown,
  CauseCode.backendRemoved,
])

/** Knows what a relay has to do, and finds where it did not. Faults are sentences; '' is none. */
export class Oracle {
  readonly #network: Network
  readonly #limits: Limits
  /** Main may have ended every connection. */
  mayAbort = false
  /** Main may have ended the connections to one backend. */
  mayEndBackend = false
  readonly #records = new Map<number, AccessRecord>()

  constructor(network: Network, limits: Limits) {
    this.#network = network
    this.#limits = limits
    network.watch(() => this.#whileAsleep())
  }

  /** Takes one access record from the ring. Returns what is wrong with it. */
  addRecord(view: DataView, offset: number): string {
    const record = decodeAccessRecord(view, offset)
    const client = record.clientPort - CLIENT_PORT
    if (this.#network.clients[client] === undefined) return `record: of client ${client}, who does not exist`
    if (this.#records.has(client)) return `record: client ${client} has two`
    this.#records.set(client, record)
    return ''
  }

  // While the reactor sleeps with nothing ready, nothing may be left that it could do.

  #whileAsleep(): string {
    for (const { peer } of this.#network.clients) {
      const { socket } = peer
      if (socket === null || socket.closed || socket.fd < 0) continue
      const { partner } = socket
      if (partner === null || partner.fd < 0 || partner.phase === 'connecting') continue
      const fault = this.#idleTooLong(socket, partner) || unmoved(socket, partner) || unmoved(partner, socket)
      if (fault !== '') return fault
    }
    return ''
  }

  #idleTooLong(socket: SimSocket, partner: SimSocket): string {
    const quietMs = this.#network.kernel.nowMs() - Math.max(socket.movedAtMs, partner.movedAtMs, partner.openedAtMs)
    if (quietMs <= this.#limits.idleMs + 4 * this.#limits.tickMs + 50) return ''
    return `timeout: nothing has moved on ${socket.label} for ${quietMs.toFixed(0)} ms, and it is still open`
  }

  // When everything is over.

  finish(): string {
    for (const arrival of this.#network.clients) {
      const fault = this.#finishClient(arrival)
      if (fault !== '') return fault
    }
    for (const peer of this.#network.backends) {
      if (peer.started && peer.socket?.closed === false) return `leak: the socket of ${peer.label} is still open`
    }
    return ''
  }

  #finishClient({ peer }: ClientArrival): string {
    const { socket } = peer
    const record = this.#records.get(peer.port - CLIENT_PORT)
    if (socket === null || Number.isNaN(socket.closedAtMs))
      return record === undefined ? '' : `record: ${peer.label} was never accepted`
    if (record === undefined) return `record: ${peer.label} has none`
    const partner = this.#joined(peer, socket, record)
    if (partner !== null && BEFORE_BACKEND.has(record.cause))
      return `record: ${peer.label} had a backend, and ended by ${causes[record.cause]?.name}`
    return this.#checkRecord(peer, socket, partner, record) || this.#checkStreams(peer, socket, partner, record)
  }

  /**
   * The backend's socket, if one was ever connected for this client. One that was lost before the reactor looked counts
   * as an attempt that failed.
   */
  #joined(peer: Peer, socket: SimSocket, record: AccessRecord): SimSocket | null {
    const { partner } = socket
    if (partner === null || (partner.remote as Peer | null)?.started !== true) return null
    if (partner.sent + partner.consumed > 0) return partner
    const isShutdown = record.cause === CauseCode.shutdown
    // Main has ended the connections to its backend just when it was connected.
    const isGivenUp = record.attempts.some(({ errno }) => errno === Errno.ECONNABORTED)
    const failed = BEFORE_BACKEND.has(record.cause) && !this.#mustBeClean(peer, socket, partner)
    return isShutdown || isGivenUp || failed ? null : partner
  }

  #checkRecord(peer: Peer, socket: SimSocket, partner: SimSocket | null, record: AccessRecord): string {
    const name = causes[record.cause]?.name ?? `cause ${record.cause}`
    if (record.cause === CauseCode.internalError && !socket.faulted) return `record: ${peer.label} ended by ${name}`
    if (partner === null) {
      if (record.bytesUp !== 0 || record.bytesDown !== 0) return `record: ${peer.label} has bytes, but no backend`
      return ''
    }
    if (record.bytesUp !== partner.sent || record.bytesDown !== socket.sent)
      return (
        `record: ${peer.label} has ${record.bytesUp} up and ${record.bytesDown} down; ` +
        `${partner.sent} and ${socket.sent} were delivered`
      )
    return this.#checkTimeout(peer, socket, partner, record, name)
  }

  #checkTimeout(peer: Peer, socket: SimSocket, partner: SimSocket, record: AccessRecord, name: string): string {
    const { idleMs, halfClosedMs, maxDurationMs } = this.#limits
    if (TIMED.has(record.cause)) {
      const halfClosed = socket.endSent || partner.endSent
      const leastMs = halfClosed ? Math.min(idleMs, halfClosedMs) : idleMs
      const quietMs = socket.closedAtMs - Math.max(socket.movedAtMs, partner.movedAtMs)
      if (quietMs < leastMs - SLACK_MS) return `timeout: ${peer.label} ended by ${name} after ${quietMs.toFixed(3)} ms`
    }
    if (record.cause === CauseCode.maxDuration && record.totalMs < maxDurationMs - SLACK_MS)
      return `timeout: ${peer.label} ended by ${name} after ${record.totalMs} ms`
    return ''
  }

  #checkStreams(peer: Peer, socket: SimSocket, partner: SimSocket | null, record: AccessRecord): string {
    if (partner === null) return ''
    const cut = CUT.has(record.cause)
    const fault = cut ? '' : inventedEnd(socket, partner) || inventedEnd(partner, socket)
    if (fault !== '') return fault
    if (!this.#mustBeClean(peer, socket, partner)) return ''
    if (this.mayAbort && record.cause === CauseCode.shutdown) return ''
    if (this.mayEndBackend && record.cause === CauseCode.backendRemoved) return ''
    const name = causes[record.cause]?.name ?? `cause ${record.cause}`
    if (!CLEAN.has(record.cause)) return `end: ${peer.label} did nothing wrong and ended by ${name}`
    return incomplete(socket, partner) || incomplete(partner, socket)
  }

  /** Whether nothing happened that excuses anything but a complete exchange. */
  #mustBeClean(client: Peer, socket: SimSocket, partner: SimSocket): boolean {
    const backend = partner.remote as Peer
    if (!this.#limits.areLong || socket.faulted || partner.faulted) return false
    const endings = [client.behaviour.ending, backend.behaviour.ending]
    if (endings.some((ending) => ending !== 'half-close' && ending !== 'last')) return false
    if (endings.every((ending) => ending === 'last')) return false
    if (backend.behaviour.waits && client.behaviour.total === 0 && client.behaviour.ending === 'last') return false
    return client.behaviour.reading !== 'never' && backend.behaviour.reading !== 'never'
  }
}

/** What the reactor should have moved from one socket to the other before it went to sleep. */
function unmoved(from: SimSocket, to: SimSocket): string {
  if (from.faulted || to.faulted) return ''
  if (from.phase === 'dead' && to.phase === 'dead')
    return `hang: ${from.label} and ${to.label} are both gone, and the reactor sleeps`
  if (to.phase !== 'open') return ''
  if (to.withheld > 0) return `hang: ${to.withheld} bytes to ${to.label} are held back, and the reactor sleeps`
  const waiting = from.arrived - to.sent
  if (waiting > 0 && !to.sendShut && to.writable && !to.noSpace)
    return `hang: ${waiting} bytes of ${from.label} could go to ${to.label}, and the reactor sleeps`
  if (waiting > 0) return ''
  if (from.phase === 'dead') return `hang: ${from.label} is gone, and the reactor sleeps`
  if (from.endArrived && !to.sendShut) return `hang: the end of ${from.label} was not passed on, and the reactor sleeps`
  return ''
}

/** An end that the other peer did not make, or that hides bytes. */
function inventedEnd(from: SimSocket, to: SimSocket): string {
  if (!to.endSent || (from.endWritten && to.sent === from.written)) return ''
  if (!from.endWritten) return `end: ${to.label} is told of an end that ${from.label} never made`
  return `end: ${to.label} is told of the end after ${to.sent} of ${from.written} bytes of ${from.label}`
}

function incomplete(from: SimSocket, to: SimSocket): string {
  if (to.taken !== from.written) return `bytes: ${to.label} got ${to.taken} of ${from.written} bytes of ${from.label}`
  if ((to.remote as Peer).sawEnd) return ''
  return `end: ${to.label} never saw the end of ${from.label}`
}
