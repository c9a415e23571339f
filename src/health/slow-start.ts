/** The share that a backend begins with. */
const FIRST_SHARE = 0.1

/**
 * Leads backends that come up from a tenth of their share to all of it, in a straight line over `durationMs`. Pure: the
 * clock is passed in, monotonic ms. Bounded by the backends that it is told of.
 */
export class SlowStart {
  readonly #durationMs: number
  readonly #startedMs: Map<string, number>

  /** `started` is what {@link started} of a predecessor gave: when each backend that is still being led came up. */
  constructor(durationMs: number, started: ReadonlyMap<string, number> = new Map()) {
    this.#durationMs = durationMs
    this.#startedMs = new Map(started)
  }

  /** A backend has come up; one that is being led begins anew. */
  start(key: string, nowMs: number): void {
    this.#startedMs.set(key, nowMs)
  }

  /** A backend went down or was removed. */
  stop(key: string): void {
    this.#startedMs.delete(key)
  }

  /** The share of each backend that is being led, 0.1 to 1. Those that have arrived stand in it once, with 1. */
  shares(nowMs: number): Map<string, number> {
    const shares = new Map<string, number>()
    for (const [key, startedMs] of this.#startedMs) {
      const share = this.#shareAfter(nowMs - startedMs)
      shares.set(key, share)
      if (share === 1) this.#startedMs.delete(key)
    }
    return shares
  }

  /** When a backend has all of its share, monotonic ms; undefined where it has it already. */
  endsAtMs(key: string): number | undefined {
    const startedMs = this.#startedMs.get(key)
    return startedMs === undefined ? undefined : startedMs + this.#durationMs
  }

  /** When each backend that is being led came up, for a successor. */
  started(): ReadonlyMap<string, number> {
    return new Map(this.#startedMs)
  }

  #shareAfter(elapsedMs: number): number {
    if (elapsedMs >= this.#durationMs) return 1
    return FIRST_SHARE + (1 - FIRST_SHARE) * Math.max(0, elapsedMs / this.#durationMs)
  }
}
