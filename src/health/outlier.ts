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

/** What comes of a backend that is failing: `spared` where `maxShare` forbids that it sits out. */
export type Verdict = 'ejected' | 'spared'

/**
 * Decides which backends sit out because connections to them failed, and for how long: the n-th time in a row takes
 * n × `ejectionMs`, and each `ejectionMs` of good service after it makes n smaller by one. Pure: the clock is passed in,
 * monotonic ms. It remembers no more backends than it was told of.
 */
export class EjectionPolicy {
  readonly #config: OutlierConfig
  readonly #ejections: Map<string, Ejection>
  /** When backends were last spared, of those that were since an ejection last ended. */
  readonly #spared: Map<string, number>
  #ejectedCount = 0

  /** The ejections of a `predecessor` go on as they are. */
  constructor(config: OutlierConfig, predecessor?: EjectionPolicy | null) {
    this.#config = config
    this.#ejections = new Map(predecessor?.ejections())
    this.#spared = new Map(predecessor ? predecessor.#spared : [])
    for (const { isEjected } of this.#ejections.values()) if (isEjected) this.#ejectedCount++
  }

  /**
   * A backend has failed as often in a row as the configuration says. It is ejected, unless `maxShare` of the `total`
   * backends that could serve are; one of two or more always may. Returns what is news: null where it is ejected already, or goes on
   * failing after it was spared: within `ejectionMs` of the last time, and with no place free since.
   */
  noteFailing(key: string, nowMs: number, total: number): Verdict | null {
    const known = this.#ejections.get(key)
    if (known?.isEjected === true) return null
    const { ejectionMs, maxEjectionMs } = this.#config
    if (this.#ejectedCount >= this.#placesFor(total)) {
      const sparedAtMs = this.#spared.get(key) ?? Number.NEGATIVE_INFINITY
      this.#spared.set(key, nowMs)
      return nowMs - sparedAtMs < ejectionMs ? null : 'spared'
    }
    this.#spared.delete(key)
    const count = (known === undefined ? 0 : this.#countAt(known, nowMs)) + 1
    const durationMs = Math.min(count * ejectionMs, Math.max(ejectionMs, maxEjectionMs))
    this.#ejections.set(key, { count, untilMs: nowMs + durationMs, isEjected: true })
    this.#ejectedCount++
    return 'ejected'
  }

  /** Backends whose time is over, each once; they are not ejected any more. */
  due(nowMs: number): string[] {
    const keys: string[] = []
    for (const [key, ejection] of this.#ejections) {
      if (ejection.isEjected && nowMs >= ejection.untilMs) {
        this.release(key, nowMs)
        keys.push(key)
      } else if (!ejection.isEjected && this.#countAt(ejection, nowMs) === 0) this.#ejections.delete(key)
    }
    return keys
  }

  /** Ends an ejection. Good service is counted from now on, not from when somebody might have asked. */
  release(key: string, nowMs: number): void {
    const known = this.#ejections.get(key)
    if (known?.isEjected !== true) return
    this.#ejections.set(key, { ...known, untilMs: nowMs, isEjected: false })
    this.#ejectedCount--
    this.#spared.clear()
  }

  isEjected(key: string): boolean {
    return this.#ejections.get(key)?.isEjected === true
  }

  /** When its ejection ends; undefined where it is not ejected. */
  endsAtMs(key: string): number | undefined {
    const ejection = this.#ejections.get(key)
    return ejection?.isEjected === true ? ejection.untilMs : undefined
  }

  /** A backend is gone. */
  forget(key: string): void {
    if (this.isEjected(key)) {
      this.#ejectedCount--
      this.#spared.clear()
    }
    this.#spared.delete(key)
    this.#ejections.delete(key)
  }

  /** What is remembered, by key. */
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
