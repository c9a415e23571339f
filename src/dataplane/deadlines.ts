import { setKeepAlive } from '../kernel/socket-option.ts'
import { CauseCode } from '../model/cause.ts'
import type { ListenerSnapshot } from '../model/snapshot.ts'
import type { Closer } from './closer.ts'
import type { Core } from './core.ts'
import type { Dialer } from './dialer.ts'
import type { Outcomes } from './outcomes.ts'
import { Flag, Phase } from './slots.ts'

/**
 * Looks at connections whose timer is due. A timer is armed for the earliest moment at which something might be over;
 * what is true then is computed here, from when bytes last moved.
 */
export class Deadlines {
  readonly #core: Core
  readonly #closer: Closer
  readonly #dialer: Dialer
  readonly #outcomes: Outcomes
  readonly #onDue = (connection: number): void => this.#look(connection)

  constructor(core: Core, closer: Closer, dialer: Dialer, outcomes: Outcomes) {
    this.#core = core
    this.#closer = closer
    this.#dialer = dialer
    this.#outcomes = outcomes
  }

  /** Looks at every connection whose timer is due by now. */
  advance(): void {
    this.#core.timers.advance(this.#core.nowMs, this.#onDue)
  }

  #look(connection: number): void {
    const { slots } = this.#core
    const phase = slots.phase[connection]
    if (phase === Phase.dialing) this.#lookAtDial(connection)
    else if (phase === Phase.relaying) this.#lookAtRelay(connection)
    else if (phase === Phase.lingering) {
      this.#closer.end(connection, slots.cause[connection]!, slots.errno[connection]!, false)
    }
  }

  #lookAtDial(connection: number): void {
    const { slots, nowMs, timers } = this.#core
    const upstream = this.#core.upstreamOf(connection)
    const deadlineMs = slots.dialedAt[connection]! + upstream.policy.connectTimeoutMs
    if (this.#core.fd(2 * connection + 1) < 0) this.#dialer.dial(connection)
    else if (nowMs >= deadlineMs) this.#dialer.onTimeout(connection)
    else timers.arm(connection, deadlineMs)
  }

  #lookAtRelay(connection: number): void {
    const { slots, nowMs, timers } = this.#core
    const listener = this.#core.listenerOf(connection)
    const endsAtMs = slots.acceptedAt[connection]! + listener.maxDurationMs
    const idleAtMs = slots.activeAt[connection]! + listener.idleTimeoutMs
    const halfClosedAtMs = this.#halfClosedSince(connection) + listener.halfClosedTimeoutMs
    if (nowMs >= endsAtMs) this.#closer.end(connection, CauseCode.maxDuration, 0, false)
    else if (nowMs >= idleAtMs)
      this.#closer.end(connection, this.#stalledOr(connection, CauseCode.idleTimeout), 0, false)
    else if (nowMs >= halfClosedAtMs)
      this.#closer.end(connection, this.#stalledOr(connection, CauseCode.halfClosedTimeout), 0, false)
    else {
      this.#keepAlive(connection, listener)
      this.#outcomes.noteLife(connection)
      timers.arm(connection, Math.min(endsAtMs, idleAtMs, halfClosedAtMs, this.#outcomes.provenAtMs(connection)))
    }
  }

  /** Since when nothing has moved after one direction had ended; Infinity while none has. */
  #halfClosedSince(connection: number): number {
    const { flags, activeAt, halfClosedAt } = this.#core.slots
    const isHalfClosed = ((flags[2 * connection]! | flags[2 * connection + 1]!) & Flag.finished) !== 0
    return isHalfClosed ? Math.max(activeAt[connection]!, halfClosedAt[connection]!) : Number.POSITIVE_INFINITY
  }

  /** Where bytes wait for a peer, that peer is the cause. */
  #stalledOr(connection: number, cause: number): number {
    const { slots } = this.#core
    if ((slots.flags[2 * connection]! & Flag.blocked) !== 0) return CauseCode.backendStalled
    if ((slots.flags[2 * connection + 1]! & Flag.blocked) !== 0) return CauseCode.clientStalled
    return cause
  }

  /** Keep-alive on the backend's socket is set here, not when it connects: most connections end before it matters. */
  #keepAlive(connection: number, listener: ListenerSnapshot): void {
    const { slots, kernel } = this.#core
    if (slots.keptAlive[connection] === 1) return
    slots.keptAlive[connection] = 1
    if (Number.isFinite(listener.keepAliveMs)) {
      setKeepAlive(kernel, this.#core.fd(2 * connection + 1), listener.keepAliveMs)
    }
  }
}
