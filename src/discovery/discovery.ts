import type { SocketAddress } from '../model/address.ts'
import type { DiscoveryConfig, ServerConfig } from '../model/config.ts'
import { resolveBy } from './deadline.ts'
import { type DiscoveryEvent, DiscoveryLog, type SourceState } from './discovery-log.ts'
import { type LastGood, openLastGood } from './last-good.ts'
import type { RefusalReason } from './member.ts'
import { MemberFilter } from './member-filter.ts'
import { MemberSet } from './member-set.ts'
import { fillsUp, openSource, sourceOf } from './open-source.ts'
import { countRefused, type Source, type SourceContext, type SourceRead } from './source.ts'
import { placeOf } from './source-place.ts'

export interface DiscoveryOptions {
  /** Name of the upstream, for the log and for the file that keeps its members. */
  readonly upstream: string
  readonly config: DiscoveryConfig
  /** Addresses that this process listens on: they are refused as members. */
  readonly own: readonly SocketAddress[]
  /** Where the last good members are kept; `none` for nowhere. */
  readonly stateDirectory: string
  /** Who is believed already; undefined for those on disk. */
  readonly known?: KnownMembers | undefined
  /** Gets the whole list whenever it changes. What is known at the start stands in {@link Discovery.members}. */
  readonly onMembers: (members: readonly ServerConfig[]) => void
  readonly onEvent: (event: DiscoveryEvent) => void
}

/** Members that an earlier discovery has believed. */
export interface KnownMembers {
  readonly members: readonly ServerConfig[]
  /** Whether the new one reads the same source: then their loss is held back like any other. */
  readonly isSameSource: boolean
}

export interface DiscoveryStatus {
  readonly type: DiscoveryConfig['type']
  readonly state: SourceState
  /** Where it looks, without user and password: `keys "mcs:node:*" at redis://10.0.0.9:6379`. */
  readonly source: string
  /** Why it is lost or finds nobody, or which part of it fails; empty otherwise. */
  readonly reason: string
  /** Unix time of the last read that showed members; null before the first. */
  readonly lastGoodReadMs: number | null
  /** Believed members. */
  readonly members: number
  /** Members that the last complete read showed. */
  readonly found: number
  /** Whether the members are those that an earlier process left. */
  readonly restored: boolean
  /** An update that is held back; `remainingMs` is whole, and Infinity where it waits for ever. */
  readonly heldBack: { readonly members: number; readonly remainingMs: number } | null
  /** Entries of the last complete read that were refused. */
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>
}

export interface Discovery {
  /** What is believed, sorted by address. Another list whenever it differs. */
  readonly members: readonly ServerConfig[]
  /** Resolves when the source has answered or failed for the first time. */
  readonly firstRead: Promise<void>
  status(): DiscoveryStatus
  /**
   * Its members serve, under a configuration that listens on `own`. From now on they are kept on disk, and whoever is
   * refused because of a listener is none any more.
   */
  serve(own: readonly SocketAddress[]): void
  /** Ends it and resolves once nothing of it is left; no callback comes after the call. */
  close(): Promise<void>
}

/** Reads that hints ask for are at least this far apart, however many come. */
const hintPauseMs = 100
/** Longest time for one whole read; whatever is slower is lost. */
const readTimeoutMs = 10_000
/** A registry fills heartbeat by heartbeat, and those who write to it wait up to 5 s before they connect anew. */
const settleMs = 10_000

/** Finds the members of one upstream until it is closed. Never throws because of its source. */
export function startDiscovery(options: DiscoveryOptions): Discovery {
  return new SourceFollower(options)
}

class SourceFollower implements Discovery {
  readonly #options: DiscoveryOptions
  readonly #place: string
  readonly #filter: MemberFilter
  readonly #set: MemberSet
  readonly #lastGood: LastGood
  readonly #log: DiscoveryLog
  #source: Source | undefined
  #state: SourceState = 'starting'
  #reason = ''
  #lastGoodReadMs: number | null = null
  #found = 0
  #restored: boolean
  /** Whether those who were believed at the start are of this source. */
  readonly #isSameSource: boolean
  #refused: Partial<Record<RefusalReason, number>> = {}
  #readTimer: NodeJS.Timeout | undefined
  #readDueMs = Number.POSITIVE_INFINITY
  #deadlineTimer: NodeJS.Timeout | undefined
  #lastReadMs = Number.NEGATIVE_INFINITY
  /** Reads and confirmations, one after the other. */
  #work: Promise<void> = Promise.resolve()
  #isReading = false
  #hinted = false
  #isServing = false
  #closed = false
  readonly firstRead: Promise<void>
  #endFirstRead: () => void = () => {}

  constructor(options: DiscoveryOptions) {
    this.#options = options
    this.firstRead = new Promise((resolve) => {
      this.#endFirstRead = resolve
    })
    const { config, upstream, stateDirectory } = options
    this.#place = placeOf(config)
    this.#log = new DiscoveryLog(upstream, this.#place, options.onEvent)
    this.#filter = new MemberFilter(config.allow, options.own)
    this.#set = new MemberSet({ ...config, settleMs: fillsUp(config) ? settleMs : 0 })
    this.#lastGood = openLastGood({
      directory: stateDirectory,
      upstream,
      source: sourceOf(config),
      filter: this.#filter,
      onFailure: (action, path, error) =>
        this.#log.tell('warn', `Cannot ${action} the last good members`, { path, error: String(error) }),
    })
    // What a file or DNS says is whole from its first read on: against that, what an earlier process left counts nothing.
    this.#isSameSource = (options.known ?? this.#lastGood).isSameSource
    const isSameSource = this.#isSameSource && fillsUp(config)
    this.#restore(options.known ?? { members: this.#lastGood.restored, isSameSource })
    this.#restored = this.members.length > 0
    this.#scheduleRead(0)
  }

  get members(): readonly ServerConfig[] {
    return this.#set.members
  }

  /** Those that this configuration allows: whoever narrows `allow` means those who are members, too. */
  #restore({ members, isSameSource }: KnownMembers): void {
    const allowed = members.filter((server) => !this.#isRefused(server))
    this.#set.restore(allowed, isSameSource ? 'unseen' : 'foreign')
  }

  #isRefused({ address }: ServerConfig): boolean {
    return this.#filter.refusalOf(address) !== undefined
  }

  serve(own: readonly SocketAddress[]): void {
    const isFirst = !this.#isServing
    this.#isServing = true
    this.#filter.setOwn(own)
    const { changed } = this.#set.drop((server) => this.#isRefused(server))
    this.#tellHeldBack()
    if (changed) this.#publish()
    else if (isFirst && this.members.length > 0) this.#lastGood.save(this.members)
  }

  status(): DiscoveryStatus {
    // While the source is lost or empty nothing is removed, however long that lasts.
    const heldBack = this.#state === 'good' ? this.#set.heldBack : undefined
    return {
      type: this.#options.config.type,
      state: this.#state,
      source: this.#place,
      reason: this.#reason,
      lastGoodReadMs: this.#lastGoodReadMs,
      members: this.members.length,
      found: this.#found,
      restored: this.#restored,
      heldBack:
        heldBack === undefined
          ? null
          : {
              members: heldBack.removed.length,
              remainingMs: Math.ceil(Math.max(0, heldBack.untilMs - performance.now())),
            },
      refused: { ...this.#refused },
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#log.close()
    this.#endFirstRead()
    clearTimeout(this.#readTimer)
    clearTimeout(this.#deadlineTimer)
    const closing = this.#source?.close()
    await Promise.all([this.#work, closing, this.#lastGood.flush()])
    // A read that was under way when it was closed may have opened its source only then.
    await this.#source?.close()
  }

  #scheduleRead(delayMs: number): void {
    if (this.#closed) return
    clearTimeout(this.#readTimer)
    this.#readDueMs = performance.now() + delayMs
    this.#readTimer = setTimeout(() => this.#run(() => this.#readOnce()), delayMs)
  }

  /** A hint during a read may tell of what that read has missed. */
  #hint(): void {
    if (this.#closed) return
    if (this.#isReading) {
      this.#hinted = true
      return
    }
    const delayMs = Math.max(0, this.#lastReadMs + hintPauseMs - performance.now())
    if (performance.now() + delayMs < this.#readDueMs) this.#scheduleRead(delayMs)
  }

  #run(step: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (!this.#closed) await step()
      this.#scheduleDeadline()
    })
  }

  async #readOnce(): Promise<void> {
    this.#isReading = true
    this.#hinted = false
    const { intervalMs } = this.#options.config
    let pauseMs = intervalMs
    try {
      const read = await this.#bounded((source) => source.read())
      if (!this.#closed) this.#take(read)
      // A record that is good for a minute need not be asked for every second; while there is none, it must.
      // And an update that is held back is looked at again when its time has come.
      const heldUntilMs = this.#set.heldBack?.untilMs ?? Number.POSITIVE_INFINITY
      const freshForMs = Math.min(read.freshForMs ?? 0, heldUntilMs - performance.now())
      if (read.found.length > 0) pauseMs = Math.max(intervalMs, freshForMs)
    } catch (error) {
      this.#lose(error)
    }
    this.#isReading = false
    this.#endFirstRead()
    this.#lastReadMs = performance.now()
    this.#scheduleRead(this.#hinted ? hintPauseMs : pauseMs)
  }

  async #bounded<T>(ask: (source: Source) => Promise<T>): Promise<T> {
    this.#source ??= openSource(this.#options.config, this.#context())
    const source = this.#source
    try {
      return await resolveBy(ask(source), readTimeoutMs, () => {
        throw new Error(`no whole answer within ${readTimeoutMs} ms`)
      })
    } catch (error) {
      // Answers that come later would be taken for those of the next question, and those that never come pile up.
      if (error instanceof Error && /timed out|no whole answer/i.test(error.message)) source.interrupt?.()
      throw error
    }
  }

  #context(): SourceContext {
    return {
      filter: this.#filter,
      isMember: (address) => this.#set.has(address),
      members: () => (this.#isSameSource ? this.members : this.#set.shown()),
      now: () => performance.now(),
      hint: () => this.#hint(),
    }
  }

  #take(read: SourceRead): void {
    const { changed, tooMany } = this.#set.update(read.found, performance.now())
    this.#found = read.found.length
    if (read.found.length > 0) {
      this.#lastGoodReadMs = Date.now()
      this.#restored = false
    }
    const reason = [read.nothing, read.trouble ?? ''].filter((text) => text !== '').join('; ')
    this.#enter(read.found.length > 0 ? 'good' : 'empty', reason)
    this.#refused = countRefused(read, tooMany)
    this.#log.refuses(this.#refused, read.named)
    this.#log.ignores(read.unknown ?? [])
    this.#tellHeldBack()
    if (changed) this.#publish()
  }

  #lose(error: unknown): void {
    if (this.#closed) return
    this.#set.lose(performance.now())
    this.#enter('lost', this.#source?.describe(error) ?? (error instanceof Error ? error.message : String(error)))
  }

  #publish(): void {
    // What is only prepared may be refused, and must not be what the next start believes.
    if (this.#isServing) this.#lastGood.save(this.members)
    this.#options.onMembers(this.members)
  }

  #scheduleDeadline(): void {
    clearTimeout(this.#deadlineTimer)
    const dueMs = this.#set.nextDeadlineMs
    if (this.#closed || dueMs === Number.POSITIVE_INFINITY) return
    // Rounded up: a timer that fires a fraction early would find nothing due, and come again at once.
    const delayMs = Math.ceil(Math.max(0, dueMs - performance.now())) + 1
    this.#deadlineTimer = setTimeout(() => this.#run(() => this.#confirmDue()), delayMs)
  }

  async #confirmDue(): Promise<void> {
    const due = this.#set.due(performance.now())
    if (due.length === 0) return
    try {
      const { gone, alive } = await this.#bounded(async (source) => (await source.confirm?.(due)) ?? nobody)
      if (this.#closed) return
      for (const [address, deadlineMs] of alive) this.#set.prolong(address, deadlineMs)
      const { changed } = this.#set.expire(gone, performance.now())
      this.#tellHeldBack()
      if (changed) this.#publish()
    } catch (error) {
      this.#lose(error)
    }
  }

  #tellHeldBack(): void {
    const { removed, untilMs } = this.#set.heldBack ?? { removed: [], untilMs: 0 }
    this.#log.holdsBack(removed, untilMs - performance.now(), this.members.length)
  }

  #enter(state: SourceState, reason: string): void {
    this.#state = state
    this.#reason = reason
    this.#log.enters(state, { reason, members: this.members.length, found: this.#found, nowMs: performance.now() })
  }
}

const nobody = { gone: [], alive: new Map<string, number | undefined>() }
