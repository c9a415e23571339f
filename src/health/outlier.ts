import type { OutlierConfig } from '../model/config.ts'

/** What is remembered of a backend that was ejected. */
export interface Ejection {
  /** Ejections that count, good service since the last one taken off when it fails again. */
  readonly count: number
  /** When its time is, or was, over. */
  readonly untilMs: number
  /** Whether it sits out. */
  readonly isEjected: boolean
}

/**
 * Decides which backends sit out because connections to them failed, and for how long: the n-th time in a row takes
 * n × `ejectionMs`, and each `ejectionMs` of good service after it makes n smaller by one. Pure: the clock is passed in,
 * monotonic ms. It remembers no more backends than it was told of.
 */
export class EjectionPolicy {
  readonly #config: OutlierConfig
  readonly #ejections: Map<string, Ejection>
  #ejectedCount = 0

  /** `carried` is what {@link ejections} of a predecessor gave: the ejections go on as they are. */
  constructor(config: OutlierConfig, carried: ReadonlyMap<string, Ejection> = new Map()) {
    this.#config = config
    this.#ejections = new Map(carried)
    for (const { isEjected } of carried.values()) if (isEjected) this.#ejectedCount++
  }

  /**
   * A backend has failed as often in a row as the configuration says. Returns whether it is ejected now: not where it is
   * already, or where `maxShare` of the `total` backends are; one of two or more always may.
   */
  noteFailing(key: string, nowMs: number, total: number): boolean {
    const known = this.#ejections.get(key)
    if (known?.isEjected === true || this.#ejectedCount >= this.#placesFor(total)) return false
    const { ejectionMs, maxEjectionMs } = this.#config
    const count = (known === undefined ? 0 : this.#countAt(known, nowMs)) + 1
    const durationMs = Math.min(count * ejectionMs, Math.max(ejectionMs, maxEjectionMs))
    this.#ejections.set(key, { count, untilMs: nowMs + durationMs, isEjected: true })
    this.#ejectedCount++
    return true
  }

  /** Backends whose time is over, each once; they are not ejected any more. */
  due(nowMs: number): string[] {
    const keys: string[] = []
    for (const [key, ejection] of this.#ejections) {
      if (ejection.isEjected && nowMs >= ejection.untilMs) {
        // Good service is counted from now on, not from when somebody might have asked.
        this.#ejections.set(key, { ...ejection, untilMs: nowMs, isEjected: false })
        this.#ejectedCount--
        keys.push(key)
      } else if (!ejection.isEjected && this.#countAt(ejection, nowMs) === 0) this.#ejections.delete(key)
    }
    return keys
  }

  isEjected(key: string): boolean {
    return this.#ejections.get(key)?.isEjected === true
  }

  /** A backend is gone. */
  forget(key: string): void {
    if (this.isEjected(key)) this.#ejectedCount--
    this.#ejections.delete(key)
  }

  /** What is remembered, by key, for a successor. */
  ejections(): ReadonlyMap<string, Ejection> {
    return new Map(this.#ejections)
  }

  /** How many may sit out at once. */
  #placesFor(total: number): number {
    // 0.29 × 100 is 28.999… in floating point.
    const share = Math.floor(total * this.#config.maxShare + 1e-9)
    return Math.max(share, total >= 2 ? 1 : 0)
  }

  #countAt({ count, untilMs }: Ejection, nowMs: number): number {
    const { ejectionMs, maxEjectionMs } = this.#config
    // Beyond the longest ejection a larger count would only take longer to be forgotten.
    const counted = Math.min(count, Math.ceil(maxEjectionMs / ejectionMs))
    return Math.max(0, counted - Math.floor(Math.max(0, nowMs - untilMs) / ejectionMs))
  }
}
