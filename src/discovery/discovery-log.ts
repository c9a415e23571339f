import type { LogLevel } from '../model/config.ts'
import type { RefusalReason } from './member.ts'
import type { RefusedEntry } from './refused-entry.ts'

/** A line for the log. */
export interface DiscoveryEvent {
  readonly level: LogLevel
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** `starting`: not answered yet. `empty`: answers, and holds no member. `lost`: failed at the last read. */
export type SourceState = 'starting' | 'good' | 'empty' | 'lost'

/** Members that a line names. */
const maxNamed = 10

/** Tells the log how the discovery of one upstream goes: everything once, when it changes. */
export class DiscoveryLog {
  readonly #upstream: string
  readonly #onEvent: (event: DiscoveryEvent) => void
  #state: SourceState = 'starting'
  #refused = '{}'
  #heldBack = ''
  #closed = false

  constructor(upstream: string, onEvent: (event: DiscoveryEvent) => void) {
    this.#upstream = upstream
    this.#onEvent = onEvent
  }

  enters(state: SourceState, { reason, members, found }: { reason: string; members: number; found: number }): void {
    if (state === this.#state) return
    this.#state = state
    if (state === 'lost') this.tell('warn', 'Discovery lost its source; the members stay', { reason, members })
    else if (state === 'good') this.tell('info', 'Discovery reads its source', { found })
    else if (members > 0) this.tell('warn', 'Discovery finds nobody; the members stay', { members })
    else this.tell('info', 'Discovery finds nobody yet', {})
  }

  /** `entries` are some of those that are counted. */
  refuses(counts: Readonly<Partial<Record<RefusalReason, number>>>, entries: readonly RefusedEntry[]): void {
    const text = JSON.stringify(counts)
    if (text === this.#refused) return
    this.#refused = text
    if (text === '{}') this.tell('info', 'Discovery refuses no entry any more', {})
    else this.tell('warn', 'Discovery refuses entries', { refused: counts, entries })
  }

  /**
   * `removed` are members that the source does not show and that stay for now, for `forMs` or Infinity; `members` how
   * many there are with them.
   */
  holdsBack(removed: readonly string[], forMs: number, members: number): void {
    const text = removed.join()
    if (text === this.#heldBack) return
    this.#heldBack = text
    if (removed.length === 0) {
      this.tell('info', 'Discovery holds no update back any more', { members })
      return
    }
    this.tell('warn', 'Discovery holds an update back that would remove members', {
      members: removed.slice(0, maxNamed),
      removed: removed.length,
      of: members,
      forMs: Number.isFinite(forMs) ? Math.round(forMs) : 'ever',
    })
  }

  tell(level: LogLevel, message: string, fields: Record<string, unknown>): void {
    if (!this.#closed) this.#onEvent({ level, message, fields: { upstream: this.#upstream, ...fields } })
  }

  /** Nothing is told after it. */
  close(): void {
    this.#closed = true
  }
}
