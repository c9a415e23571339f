import type { LogLevel } from '../model/config.ts'
import type { RefusalReason } from './member.ts'
import type { RefusedEntry } from './refused-entry.ts'
import type { UnknownField } from './unknown-fields.ts'

/** A line for the log. */
export interface DiscoveryEvent {
  readonly level: LogLevel
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** `starting`: not answered yet. `empty`: answers, and holds no member. `lost`: failed at the last read. */
export type SourceState = 'starting' | 'good' | 'empty' | 'lost'

/** How a read went. */
export interface Entering {
  /** Why it is lost or empty, or which part of it fails. */
  readonly reason: string
  readonly members: number
  readonly found: number
  /** Of a clock that does not jump. */
  readonly nowMs: number
}

const partLost = 'Discovery reads a part of its source only; what it had of the rest stays'
/** Members that a line names. */
const maxNamed = 10
/** Least time between two lines that tell of nothing but another reason: it may change with every read. */
const reasonPauseMs = 10_000

/** Tells the log how the discovery of one upstream goes: everything once, when it changes. */
export class DiscoveryLog {
  readonly #upstream: string
  /** Where it looks. */
  readonly #source: string
  readonly #onEvent: (event: DiscoveryEvent) => void
  #state: SourceState = 'starting'
  /** What kind of reason was told last. */
  #toldKind = ''
  #reasonToldAtMs = Number.NEGATIVE_INFINITY
  #refused = '{}'
  #unknown = '[]'
  #heldBack = ''
  #closed = false

  constructor(upstream: string, source: string, onEvent: (event: DiscoveryEvent) => void) {
    this.#upstream = upstream
    this.#source = source
    this.#onEvent = onEvent
  }

  /** To be called after every read, as the reason may be another one though the state is the same. */
  enters(state: SourceState, { reason, members, found, nowMs }: Entering): void {
    if (state === this.#state) {
      this.#stays(state, reason, members, nowMs)
      return
    }
    this.#state = state
    this.#toldKind = kindOf(reason)
    const source = this.#source
    if (state === 'lost') this.tell('warn', 'Discovery lost its source; the members stay', { reason, source, members })
    else if (state === 'good') {
      this.tell('info', 'Discovery reads its source', { source, found })
      if (reason !== '') this.tell('warn', partLost, { reason, source })
    } else if (members > 0) this.tell('warn', 'Discovery finds nobody; the members stay', { reason, source, members })
    else this.tell('info', 'Discovery finds nobody yet', { reason, source })
  }

  #stays(state: SourceState, reason: string, members: number, nowMs: number): void {
    const kind = kindOf(reason)
    if (kind === this.#toldKind) return
    // What works again is told at once: the next read may be an hour away.
    if (reason !== '' && nowMs - this.#reasonToldAtMs < reasonPauseMs) return
    this.#toldKind = kind
    if (reason !== '') this.#reasonToldAtMs = nowMs
    const fields = { reason, source: this.#source, members }
    if (state === 'lost') this.tell('warn', 'Discovery is without its source for another reason', fields)
    else if (state === 'good' && reason === '') this.tell('info', 'Discovery reads all of its source again', {})
    else if (state === 'good') this.tell('warn', partLost, fields)
    else this.tell(members > 0 ? 'warn' : 'info', 'Discovery finds nobody for another reason', fields)
  }

  /** Fields that are ignored, though a person has probably meant something by them. */
  ignores(fields: readonly UnknownField[]): void {
    const text = JSON.stringify(fields.map(({ field }) => field))
    if (text === this.#unknown) return
    this.#unknown = text
    if (fields.length > 0) this.tell('warn', 'Discovery ignores fields that it does not know', { fields })
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

/** A reason without what tells one address, time or name from the next. */
function kindOf(reason: string): string {
  return reason.replaceAll(/"[^"]*"|\d+/g, '#')
}
