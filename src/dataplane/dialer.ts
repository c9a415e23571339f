import type { Request } from '../balance/balancer.ts'
import { sourceKey } from '../balance/source-key.ts'
import { AF_UNIX, EPOLLERR, EPOLLHUP, EPOLLOUT, IPPROTO_TCP, TCP_QUICKACK } from '../kernel/constants.ts'
import { Errno } from '../kernel/errno.ts'
import { CauseCode } from '../model/cause.ts'
import type { BackendSnapshot } from '../model/snapshot.ts'
import { MAX_RECORDED_ATTEMPTS } from '../shared/access-record.ts'
import { BackendCounter } from '../shared/worker-counters.ts'
import type { Closer } from './closer.ts'
import type { Core } from './core.ts'
import { isBackendsFault, isOutOfDescriptors } from './dial-errors.ts'
import type { Outcomes } from './outcomes.ts'
import type { Refuser } from './refuser.ts'
import type { Relay } from './relay.ts'
import type { ServingUpstream } from './serving.ts'
import { Flag, MAX_ATTEMPTS, Phase } from './slots.ts'
import { Stickiness } from './stickiness.ts'

const { EALREADY, ECONNABORTED, ECONNREFUSED, EINPROGRESS, EINTR, EISCONN, ETIMEDOUT } = Errno

/** Finds a backend for an accepted connection: chooses, connects, and tries the next one when that fails. */
export class Dialer {
  readonly #core: Core
  readonly #closer: Closer
  readonly #relay: Relay
  readonly #outcomes: Outcomes
  readonly #stickiness: Stickiness
  readonly #refuser: Refuser
  /** The connection for which a backend is being chosen. */
  #connection = 0
  readonly #request: Request = { clientHash: 0, isExcluded: (row) => this.#wasTried(row) }

  constructor(core: Core, closer: Closer, refuser: Refuser, relay: Relay, outcomes: Outcomes) {
    this.#core = core
    this.#closer = closer
    this.#refuser = refuser
    this.#relay = relay
    this.#outcomes = outcomes
    this.#stickiness = new Stickiness(core)
  }

  /**
   * Has the connection dialled at the client's first event, which comes at once: its socket takes bytes from the
   * start. By then it is known whether the client has sent some. The timer is there should none come all the same.
   */
  expect(connection: number): void {
    const core = this.#core
    core.timers.arm(connection, core.nowMs + this.#connectTimeoutMs(connection))
  }

  /** An event on the client's socket before a backend is connected. */
  onClientEvent(connection: number, mask: number): void {
    const core = this.#core
    if ((mask & EPOLLERR) !== 0) {
      const errno = core.kernel.socketError(core.fd(2 * connection))
      this.#closer.end(connection, CauseCode.clientAborted, errno, true)
      return
    }
    core.noteReadiness(2 * connection, mask)
    if (core.fd(2 * connection + 1) < 0) this.dial(connection)
  }

  /** Connects the first backend that can be reached; gives up by the listener's policy. */
  dial(connection: number): void {
    const { slots } = this.#core
    const upstream = this.#core.upstreamOf(connection)
    let errno = 0
    while (slots.attempts[connection]! < Math.min(upstream.policy.attempts, MAX_ATTEMPTS)) {
      const backend = this.#choose(connection, upstream)
      if (backend === undefined) break
      errno = this.#attempt(connection, backend)
      if (errno === 0) return
      if (isOutOfDescriptors(errno) && this.#waitForDescriptor(connection)) return
      this.#noteFailure(connection, errno)
    }
    this.#refuser.refuse(connection)
  }

  /** A backend at which a place has been taken; undefined when none can take the connection. */
  #choose(connection: number, upstream: ServingUpstream): BackendSnapshot | undefined {
    const { panics, slots } = this.#core
    this.#connection = connection
    if (upstream.policy.stickyTtlMs > 0 && slots.attempts[connection] === 0) {
      const former = this.#stickiness.choose(connection, upstream)
      if (former !== undefined) return former
    }
    if (upstream.hashesClients) {
      const { ipv4, ipv6 } = upstream.policy.sourcePrefix
      this.#request.clientHash = sourceKey(slots.clientAddress, 5 * connection, ipv4, ipv6)
    }
    const position = upstream.balancer.choose(this.#request, panics[upstream.policy.row]!)
    return position < 0 ? undefined : upstream.backends[position]
  }

  /** An event on the backend's socket while it connects. */
  onEvent(connection: number, mask: number): void {
    const core = this.#core
    const side = 2 * connection + 1
    if ((mask & (EPOLLERR | EPOLLHUP)) !== 0) {
      const errno = core.kernel.socketError(core.fd(side))
      if (errno !== 0) {
        this.#retry(connection, errno)
        return
      }
    }
    if ((mask & EPOLLOUT) === 0) return
    core.noteReadiness(side, mask)
    this.#join(connection)
  }

  /** The backend that is being connected is not to be had any more. */
  dialAnother(connection: number): void {
    this.#retry(connection, ECONNABORTED)
  }

  /** The attempt has taken longer than connect.timeout. */
  onTimeout(connection: number): void {
    this.#retry(connection, ETIMEDOUT)
  }

  /** Starts one attempt. Returns 0 when it is under way or has succeeded, else the errno. */
  #attempt(connection: number, backend: BackendSnapshot): number {
    const core = this.#core
    const { kernel, slots } = core
    const tried = slots.attempts[connection]!
    slots.backendRow[connection] = backend.row
    slots.triedIds[connection * MAX_ATTEMPTS + tried] = backend.id
    slots.attempts[connection] = tried + 1
    const side = 2 * connection + 1
    const fd = kernel.socket(backend.domain)
    if (fd < 0) return -fd
    slots.dialedAt[connection] = core.nowMs
    slots.descriptor[side] = fd + 1
    if (backend.mayMeetItself) slots.flags[side]! |= Flag.mayMeetItself
    if (backend.domain !== AF_UNIX) this.#joinLastAck(connection, fd)
    core.sockaddr.set(backend.sockaddr)
    let result = kernel.connect(fd, core.sockaddrAt, backend.sockaddr.length)
    if (result === -EINTR) result = kernel.connect(fd, core.sockaddrAt, backend.sockaddr.length)
    const connected = result === 0 || result === -EISCONN
    if (!connected && result !== -EINPROGRESS && result !== -EALREADY) return -result
    const watched = core.watch(side)
    if (watched < 0) return -watched
    core.timers.armNoLaterThan(connection, core.nowMs + this.#connectTimeoutMs(connection))
    if (connected) this.#join(connection)
    return 0
  }

  /**
   * Where the client has sent bytes already, the last ACK of the handshake is left to go out with them: one packet less.
   * Without bytes to send it would be late, and so would a greeting of the backend's.
   */
  #joinLastAck(connection: number, fd: number): void {
    const { kernel, slots } = this.#core
    if ((slots.flags[2 * connection]! & Flag.readable) !== 0) kernel.setOption(fd, IPPROTO_TCP, TCP_QUICKACK, 0)
  }

  /**
   * No descriptor is left for the backend's socket: no backend is at fault, so the attempt does not count. It is made
   * again as accepting is, after a moment, until connect.timeout is over. Returns false when it is.
   */
  #waitForDescriptor(connection: number): boolean {
    const core = this.#core
    core.noteShortage()
    if (core.nowMs >= core.slots.dialedAt[connection]! + this.#connectTimeoutMs(connection)) return false
    core.slots.attempts[connection]!--
    this.#leaveBackend(connection)
    core.timers.arm(connection, core.nowMs + core.tuning.resumeMs)
    return true
  }

  #retry(connection: number, errno: number): void {
    this.#noteFailure(connection, errno)
    this.dial(connection)
  }

  #noteFailure(connection: number, errno: number): void {
    const { slots } = this.#core
    const index = slots.attempts[connection]! - 1
    if (index < MAX_RECORDED_ATTEMPTS) slots.triedErrnos[connection * MAX_RECORDED_ATTEMPTS + index] = errno
    slots.errno[connection] = errno
    if (isBackendsFault(errno)) this.#outcomes.noteFailure(connection, errno)
    this.#leaveBackend(connection)
  }

  /** Gives up an attempt: the place at the backend, and the socket if there is one. */
  #leaveBackend(connection: number): void {
    this.#closer.releaseBackend(connection)
    this.#core.closeSide(2 * connection + 1, false)
    this.#core.slots.flags[2 * connection + 1] = 0
  }

  /** The backend is connected: from here on bytes move. */
  #join(connection: number): void {
    const core = this.#core
    const { slots } = core
    if (this.#hasMetItself(connection)) {
      this.#retry(connection, ECONNREFUSED)
      return
    }
    const index = slots.attempts[connection]! - 1
    if (index < MAX_RECORDED_ATTEMPTS) slots.triedErrnos[connection * MAX_RECORDED_ATTEMPTS + index] = 0
    slots.phase[connection] = Phase.relaying
    slots.connectedAt[connection] = core.nowMs
    slots.activeAt[connection] = core.nowMs
    const { idleTimeoutMs, maxDurationMs } = core.listenerOf(connection)
    const endsAtMs = slots.acceptedAt[connection]! + maxDurationMs
    const provenAtMs = this.#outcomes.provenAtMs(connection)
    core.timers.armNoLaterThan(connection, Math.min(core.nowMs + idleTimeoutMs, endsAtMs, provenAtMs))
    core.counters.addBackend(slots.backendRow[connection]!, BackendCounter.connections, 1)
    this.#outcomes.noteConnected(connection)
    const upstream = core.upstreamOf(connection)
    if (upstream.policy.stickyTtlMs > 0) this.#stickiness.remember(connection, upstream)
    const tag = slots.tag[2 * connection]!
    this.#relay.pump(2 * connection)
    if (slots.tag[2 * connection] === tag) this.#relay.pump(2 * connection + 1)
  }

  /**
   * Where nobody listens on a port that the kernel also gives to sockets that connect, it may give it to the very one
   * that connects there: TCP then joins the socket to itself, and the client would be told its own words. It is closed
   * by a reset, for after a FIN the port would stay in use, and the backend could not come back.
   */
  #hasMetItself(connection: number): boolean {
    const core = this.#core
    const side = 2 * connection + 1
    if ((core.slots.flags[side]! & Flag.mayMeetItself) === 0 || !core.kernel.isOwnPeer(core.fd(side))) return false
    core.closeSide(side, true)
    return true
  }

  #wasTried(row: number): boolean {
    const { slots, table } = this.#core
    const base = this.#connection * MAX_ATTEMPTS
    const count = slots.attempts[this.#connection]!
    for (let i = 0; i < count; i++) if (slots.triedIds[base + i] === table.id(row)) return true
    return false
  }

  #connectTimeoutMs(connection: number): number {
    return this.#core.upstreamOf(connection).policy.connectTimeoutMs
  }
}
