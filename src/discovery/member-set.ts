import { isDeepStrictEqual } from 'node:util'
import { formatAddress } from '../model/address.ts'
import type { ServerConfig } from '../model/config.ts'

/** A member as a source has just shown it. */
export interface FoundMember {
  readonly server: ServerConfig
  /** When its own time is over, on the clock of the set; undefined where it has none. */
  readonly deadlineMs?: number | undefined
}

export interface MemberSetLimits {
  readonly maxMembers: number
  /** Share of the members, 0 to 1, above which an update that removes them is held back. */
  readonly maxRemoval: number
  /** How long such an update must stay the same; Infinity for ever. */
  readonly holdBackMs: number
  /**
   * Once a source shows members again: how long it may take until it shows all of them. Bounded by `holdBackMs`, and 0
   * where `maxRemoval` is all: there every read is believed.
   */
  readonly settleMs: number
}

/** Members that an update would remove, and that stay for now. */
export interface HeldBack {
  /** Addresses, sorted. */
  readonly removed: readonly string[]
  readonly sinceMs: number
  /** Infinity where it is never believed. */
  readonly untilMs: number
}

export interface SetChange {
  /** Whether {@link MemberSet.members} is another list than before. */
  readonly changed: boolean
  /** Found ones that had no place. */
  readonly tooMany: number
}

/**
 * `shown`: by the last read. `unseen`: believed from before a gap, in which the source was away, empty or not read by
 * this process, and not shown since. `foreign`: the same, from another source.
 */
type Standing = 'shown' | 'unseen' | 'foreign'

interface Entry {
  readonly server: ServerConfig
  deadlineMs: number | undefined
  standing: Standing
}

/**
 * What is believed of a source that may be wrong. Pure: `nowMs` is any clock that does not jump, the same in every call.
 *
 * ```
 *   read shows a member ........................ it is one at once, or anew
 *   read shows nothing at all, or fails ........ nothing changes, and no deadline counts until members are seen again
 *   read lacks a member past its deadline ...... it goes at once
 *   read lacks some before their deadlines ..... they go, unless they are many: those are held back
 *   read lacks some that it has not shown
 *     since a gap .............................. they are held back until the source has settled
 *   deadline passes, source confirms ........... it goes at once, unless nobody would be left
 * ```
 */
export class MemberSet {
  readonly #limits: MemberSetLimits
  readonly #settleMs: number
  #entries = new Map<string, Entry>()
  #members: readonly ServerConfig[] = []
  #heldBack: HeldBack | undefined
  /** What the last read lacked, and since when it lacks just these. */
  #vanished: { readonly keys: readonly string[]; readonly sinceMs: number } | undefined
  /**
   * Who was a member when a loss began that is held back for its size: newcomers since then do not make it small, and
   * their comings and goings do not make it another.
   */
  #baseOfLoss: ReadonlySet<string> | undefined
  /** When the source was lost, or showed nobody, and has not shown anybody since. */
  #lostAtMs: number | undefined
  /** Until when a source that came back may lack members; undefined during a gap. */
  #settledAtMs: number | undefined

  constructor(limits: MemberSetLimits) {
    this.#limits = limits
    this.#settleMs = limits.maxRemoval >= 1 ? 0 : Math.min(limits.settleMs, limits.holdBackMs)
  }

  /** Sorted by address. The list is another object whenever it differs. */
  get members(): readonly ServerConfig[] {
    return this.#members
  }

  get heldBack(): HeldBack | undefined {
    return this.#heldBack
  }

  /** Members that the last read showed. */
  shown(): ServerConfig[] {
    return [...this.#entries.values()].flatMap(({ standing, server }) => (standing === 'shown' ? [server] : []))
  }

  has(address: string): boolean {
    return this.#entries.has(address)
  }

  /** Starts with members of an earlier process or set. `foreign` where they come from another source. */
  restore(servers: readonly ServerConfig[], standing: 'unseen' | 'foreign'): void {
    const kept = sortedByAddress(servers).slice(0, this.#limits.maxMembers)
    this.#entries = new Map(kept.map(([key, server]) => [key, { server, deadlineMs: undefined, standing }]))
    this.#publish()
  }

  /** The source failed or shows nothing: everything stays, and what ran out meanwhile is not held against a member. */
  lose(nowMs: number): void {
    this.#settledAtMs = undefined
    this.#lostAtMs ??= nowMs
    for (const entry of this.#entries.values()) {
      entry.deadlineMs = undefined
      if (entry.standing === 'shown') entry.standing = 'unseen'
    }
  }

  /** Removes members that may be none any more, even if nobody is left. */
  drop(isRefused: (server: ServerConfig) => boolean): SetChange {
    const refused = [...this.#entries].filter(([, { server }]) => isRefused(server)).map(([key]) => key)
    for (const key of refused) this.#entries.delete(key)
    this.#forgetHeldBack(new Set(refused))
    return { changed: this.#publish(), tooMany: 0 }
  }

  /** Takes what a read has shown. Of two with one address the later deadline counts. */
  update(found: readonly FoundMember[], nowMs: number): SetChange {
    if (found.length === 0) {
      this.lose(nowMs)
      return { changed: false, tooMany: 0 }
    }
    this.#skipGap(nowMs)
    this.#settledAtMs ??= nowMs + this.#settleMs
    const shown = byAddress(found)
    const next = new Map<string, Entry>()
    for (const [key, entry] of this.#stillBelieved(shown, nowMs)) next.set(key, entry)
    let tooMany = 0
    for (const [key, member] of shown) {
      // Members come first, so that whoever floods the registry displaces nobody.
      if (!this.#entries.has(key) && next.size >= this.#limits.maxMembers) tooMany++
      else next.set(key, { server: member.server, deadlineMs: member.deadlineMs, standing: 'shown' })
    }
    this.#entries = next
    return { changed: this.#publish(), tooMany }
  }

  /** Entries that stay: those that are shown again, in their old form, and those that are held back. */
  #stillBelieved(shown: ReadonlyMap<string, FoundMember>, nowMs: number): [string, Entry][] {
    const all = [...this.#entries]
    const kept = all.filter(([key]) => shown.has(key))
    const vanished = all.filter(([key, entry]) => !shown.has(key) && !isOver(entry, nowMs))
    const held = this.#heldOf(vanished, nowMs)
    return [...kept, ...held]
  }

  /** Of those that vanished, the ones that stay for now. */
  #heldOf(vanished: readonly [string, Entry][], nowMs: number): readonly [string, Entry][] {
    const base = this.#baseOf(vanished)
    const keys = vanished.flatMap(([key]) => (base.has(key) ? [key] : [])).sort()
    const before = this.#vanished
    const sinceMs = before !== undefined && isDeepStrictEqual(before.keys, keys) ? before.sinceMs : nowMs
    this.#vanished = { keys, sinceMs }
    const settledAtMs = this.#settledAtMs ?? nowMs
    const untilMs = sinceMs + this.#limits.holdBackMs
    const holdsMany = this.#isMany(keys.length, base.size) && nowMs < untilMs
    this.#baseOfLoss = holdsMany ? base : undefined
    const held = vanished.filter(
      ([key, { standing }]) => (holdsMany && base.has(key)) || (standing !== 'shown' && nowMs < settledAtMs),
    )
    this.#heldBack =
      held.length === 0
        ? undefined
        : { removed: held.map(([key]) => key).sort(), sinceMs, untilMs: holdsMany ? untilMs : settledAtMs }
    return held
  }

  /** Who counts as lost: the members that there were when the loss began, and newcomers where many of these go as well. */
  #baseOf(vanished: readonly [string, Entry][]): ReadonlySet<string> {
    const native = [...this.#entries].filter(([, entry]) => isNative(entry)).map(([key]) => key)
    const base = this.#baseOfLoss ?? new Set(native)
    const isNew = (key: string) => !base.has(key)
    const lost = vanished.filter(([key, entry]) => isNative(entry) && isNew(key))
    return this.#isMany(lost.length, native.filter(isNew).length) ? new Set([...base, ...native]) : base
  }

  #isMany(lost: number, of: number): boolean {
    return lost > Math.max(1, of * this.#limits.maxRemoval)
  }

  /** The time in which nobody could be seen does not count for a loss that is held back. */
  #skipGap(nowMs: number): void {
    if (this.#lostAtMs === undefined) return
    const gapMs = nowMs - this.#lostAtMs
    this.#lostAtMs = undefined
    if (this.#vanished !== undefined) this.#vanished = { ...this.#vanished, sinceMs: this.#vanished.sinceMs + gapMs }
  }

  /** When the next member's own time is over; Infinity where none is. */
  get nextDeadlineMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { deadlineMs } of this.#entries.values()) if (deadlineMs !== undefined) next = Math.min(next, deadlineMs)
    return next
  }

  /** Addresses whose own time is over: the source is to be asked whether they are gone. */
  due(nowMs: number): string[] {
    return [...this.#entries].filter(([, entry]) => isOver(entry, nowMs)).map(([key]) => key)
  }

  /** A due member turned out to be alive. */
  prolong(address: string, deadlineMs: number | undefined): void {
    const entry = this.#entries.get(address)
    if (entry !== undefined) entry.deadlineMs = deadlineMs
  }

  /** Removes due members that the source confirmed to be gone. Where nobody would be left, they stay without a deadline. */
  expire(gone: readonly string[], nowMs: number): SetChange {
    const present = new Set(gone.filter((key) => this.#entries.has(key)))
    if (present.size === this.#entries.size) {
      this.lose(nowMs)
      return { changed: false, tooMany: 0 }
    }
    for (const key of present) this.#entries.delete(key)
    this.#forgetHeldBack(present)
    return { changed: this.#publish(), tooMany: 0 }
  }

  /** The rest of an update that is held back goes on with its time. */
  #forgetHeldBack(gone: ReadonlySet<string>): void {
    if (this.#heldBack === undefined) return
    const removed = this.#heldBack.removed.filter((key) => !gone.has(key))
    this.#heldBack = removed.length === 0 ? undefined : { ...this.#heldBack, removed }
  }

  #publish(): boolean {
    const next = [...this.#entries].sort(([a], [b]) => compare(a, b)).map(([, { server }]) => server)
    if (isDeepStrictEqual(next, this.#members)) return false
    this.#members = next
    return true
  }
}

function isNative({ standing }: Entry): boolean {
  return standing !== 'foreign'
}

function isOver({ deadlineMs }: Entry, nowMs: number): boolean {
  return deadlineMs !== undefined && deadlineMs <= nowMs
}

/** Sorted, so that which ones find no place depends on nothing but the addresses. */
function byAddress(found: readonly FoundMember[]): Map<string, FoundMember> {
  const shown = new Map<string, FoundMember>()
  for (const member of found) {
    const key = formatAddress(member.server.address)
    const other = shown.get(key)
    if (other === undefined || (other.deadlineMs ?? Infinity) < (member.deadlineMs ?? Infinity)) shown.set(key, member)
  }
  return new Map([...shown].sort(([a], [b]) => compare(a, b)))
}

function sortedByAddress(servers: readonly ServerConfig[]): [string, ServerConfig][] {
  return servers
    .map((server): [string, ServerConfig] => [formatAddress(server.address), server])
    .sort(([a], [b]) => compare(a, b))
}

/** By code units: the order of a locale would differ between machines. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
