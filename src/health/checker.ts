import { isDeepStrictEqual } from 'node:util'
import type { SocketAddress } from '../model/address.ts'
import type { HealthConfig } from '../model/config.ts'
import { type ProbeResult, probe } from './probe.ts'
import { isUp, nextPauseMs, noteResult, type Standing, unknownStanding } from './thresholds.ts'

/** Checks that run at once; others wait their turn. */
const MAX_PROBES = 512
/** New targets whose first check comes at once; the first checks of more are spread. */
const AT_ONCE = 16
/** Longest time over which first checks are spread: until its own a backend counts as up. */
const MAX_SPREAD_MS = 10_000

export interface CheckTarget {
  /** Its identity: what is known of a key stays when the rest changes. */
  readonly key: string
  readonly address: SocketAddress
  readonly config: HealthConfig
}

/** What a checker tells. It may be told new targets, or be closed, within a call. */
export interface CheckEvents {
  /** A backend went up or down. The first result of one that is good is no change: it counted as up. */
  onChange(key: string, isUp: boolean, result: ProbeResult): void
  /** Every result, before the change that it makes. */
  onResult?(key: string, result: ProbeResult): void
}

export interface CheckerOptions {
  readonly maxProbes?: number
  /** A number from 0 to below 1. */
  readonly random?: () => number
}

export interface CheckState extends Standing {
  readonly isUp: boolean
  /** Null before the first check. */
  readonly lastResult: ProbeResult | null
}

interface Entry {
  target: CheckTarget
  standing: Standing
  lastResult: ProbeResult | null
  timer: NodeJS.Timeout | undefined
  /** The check that runs. */
  running: AbortController | null
}

/**
 * Checks targets again and again, each by its own configuration, and never one twice at once.
 *
 * ```
 *   timer ──► waiting, when maxProbes run ──► running ──► result ──► timer
 * ```
 */
export class Checker {
  readonly #events: CheckEvents
  readonly #maxProbes: number
  readonly #random: () => number
  readonly #entries = new Map<string, Entry>()
  /** Due, in their order. */
  readonly #waiting = new Set<Entry>()
  #runningCount = 0

  constructor(events: CheckEvents, options: CheckerOptions = {}) {
    this.#events = events
    this.#maxProbes = options.maxProbes ?? MAX_PROBES
    this.#random = options.random ?? Math.random
  }

  /**
   * Checks these from now on, and no others. Keys that stay keep their state and their progress; where their address or
   * their configuration is another, a check that runs is called off and made anew. New ones are checked soon.
   */
  setTargets(targets: readonly CheckTarget[]): void {
    const keys = new Set(targets.map(({ key }) => key))
    for (const [key, entry] of this.#entries) if (!keys.has(key)) this.#forget(key, entry)
    const fresh = targets.map((target) => this.#take(target)).filter((entry) => entry !== null)
    fresh.forEach((entry, index) => {
      this.#schedule(entry, firstPauseMs(entry.target.config, index, fresh.length))
    })
  }

  /** What is believed of a target; undefined for none. */
  state(key: string): CheckState | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    return { ...entry.standing, isUp: isUp(entry.standing), lastResult: entry.lastResult }
  }

  /** Calls off every check. Nothing is told after it. */
  close(): void {
    for (const [key, entry] of this.#entries) this.#forget(key, entry)
  }

  /** The entry of a target that has to be checked anew; null where all is as it was. */
  #take(target: CheckTarget): Entry | null {
    const known = this.#entries.get(target.key)
    if (known === undefined) {
      const entry = { target, standing: unknownStanding, lastResult: null, timer: undefined, running: null }
      this.#entries.set(target.key, entry)
      return entry
    }
    const isSame = isSameTarget(known.target, target)
    known.target = target
    if (isSame) return null
    this.#stop(known)
    return known
  }

  #forget(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#stop(entry)
  }

  #stop(entry: Entry): void {
    clearTimeout(entry.timer)
    this.#waiting.delete(entry)
    const { running } = entry
    entry.running = null
    running?.abort()
  }

  #schedule(entry: Entry, pauseMs: number): void {
    clearTimeout(entry.timer)
    // Whole milliseconds: Node keeps one list of timers for each duration.
    entry.timer = setTimeout(() => this.#enqueue(entry), Math.round(pauseMs))
  }

  #enqueue(entry: Entry): void {
    this.#waiting.add(entry)
    this.#startWaiting()
  }

  #startWaiting(): void {
    for (const entry of this.#waiting) {
      if (this.#runningCount >= this.#maxProbes) return
      this.#waiting.delete(entry)
      void this.#run(entry)
    }
  }

  async #run(entry: Entry): Promise<void> {
    const { address, config } = entry.target
    const running = new AbortController()
    entry.running = running
    this.#runningCount++
    const result = await probe(address, config, running.signal)
    this.#runningCount--
    if (entry.running === running) this.#finish(entry, result)
    this.#startWaiting()
  }

  #finish(entry: Entry, result: ProbeResult): void {
    const { key, config } = entry.target
    const before = entry.standing
    entry.running = null
    entry.lastResult = result
    // Where this machine is at fault the result says nothing of the backend: all of them would go down together.
    if (result.ok || !result.isLocal) entry.standing = noteResult(before, result.ok, config)
    const after = isUp(entry.standing)
    this.#schedule(entry, nextPauseMs(entry.standing, config, this.#random))
    this.#events.onResult?.(key, result)
    // Whoever was told may have changed the targets.
    if (after !== isUp(before) && this.#entries.get(key) === entry) this.#events.onChange(key, after, result)
  }
}

function isSameTarget(a: CheckTarget, b: CheckTarget): boolean {
  const isSameConfig = a.config === b.config || isDeepStrictEqual(a.config, b.config)
  return isSameConfig && isDeepStrictEqual(a.address, b.address)
}

/** A handful is checked at once; of more, all are spread over their interval. */
function firstPauseMs({ intervalMs }: HealthConfig, index: number, count: number): number {
  return count <= AT_ONCE ? 0 : (index / count) * Math.min(intervalMs, MAX_SPREAD_MS)
}
