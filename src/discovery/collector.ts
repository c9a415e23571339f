import { formatAddress } from '../model/address.ts'
import type { ServerConfig } from '../model/config.ts'
import type { ParsedMember, RefusalReason } from './member.ts'
import type { MemberFilter } from './member-filter.ts'
import type { FoundMember } from './member-set.ts'
import { RefusedEntries } from './refused-entry.ts'
import type { SourceRead } from './source.ts'

/** Gathers the members and refusals of one read. What it holds is bounded by {@link Room}. */
export class Collector {
  readonly #filter: MemberFilter
  readonly #refused = new Map<RefusalReason, number>()
  readonly #named = new RefusedEntries()
  readonly #found = new Map<string, FoundMember>()

  constructor(filter: MemberFilter) {
    this.#filter = filter
  }

  /**
   * Counts an entry as refused. `entry` is what the source holds, of which the log shows no more than it may; `detail`
   * says what of it is wrong, as the log may show it.
   */
  refuse(reason: RefusalReason, entry: unknown, detail = ''): void {
    this.#count(reason, 1)
    this.#named.note(reason, entry, detail)
  }

  /** Counts entries for which there was no place: nothing is wrong with them, so they have no name in the log. */
  refuseTooMany(count: number): void {
    if (count > 0) this.#count('too-many', count)
  }

  /** The server, where it is one and may be a member; `entry` is refused otherwise. */
  accept(parsed: ParsedMember, entry: unknown): ServerConfig | undefined {
    const reason = 'reason' in parsed ? parsed.reason : this.#filter.refusalOf(parsed.server.address)
    if (reason === undefined && 'server' in parsed) return parsed.server
    if (reason !== undefined) this.refuse(reason, entry, 'detail' in parsed ? parsed.detail : '')
    return undefined
  }

  /** Of two with one address, the one that lives longer counts. */
  add(server: ServerConfig, deadlineMs?: number): void {
    const key = formatAddress(server.address)
    const other = this.#found.get(key)
    if (other !== undefined) this.refuse('duplicate', key)
    if (other === undefined || lifeOf(deadlineMs) > lifeOf(other.deadlineMs))
      this.#found.set(key, { server, deadlineMs })
  }

  /** @param nothing Why nobody was found, in case nothing was refused either. */
  result(nothing: string, freshForMs?: number): SourceRead {
    const found = [...this.#found.values()]
    const reason = found.length > 0 ? '' : this.#refused.size > 0 ? 'no entry can be a member' : nothing
    const read = { found, refused: this.#refused, named: this.#named.list(), nothing: reason }
    return freshForMs === undefined ? read : { ...read, freshForMs }
  }

  #count(reason: RefusalReason, count: number): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + count)
  }
}

function lifeOf(deadlineMs: number | undefined): number {
  return deadlineMs ?? Number.POSITIVE_INFINITY
}

/**
 * Bounded room for entries that come in no order: those that are members already, and of the others the first by
 * address, so that neither memory nor the choice depends on who floods a registry.
 */
export class Room<T> {
  readonly #max: number
  readonly #isMember: (address: string) => boolean
  readonly #members = new Map<string, T>()
  #others = new Map<string, T>()
  #dropped = 0

  constructor(max: number, isMember: (address: string) => boolean) {
    this.#max = max
    this.#isMember = isMember
  }

  /** Entries for which there was no room; a source that shows one twice may count it twice. */
  get dropped(): number {
    return this.#dropped
  }

  /** Returns what stood under this address before, which the new entry replaces. */
  put(address: string, entry: T): T | undefined {
    const map = this.#isMember(address) ? this.#members : this.#others
    const before = map.get(address)
    map.set(address, entry)
    if (this.#others.size > 2 * this.#max) this.#trim(this.#max)
    return before
  }

  get(address: string): T | undefined {
    return this.#members.get(address) ?? this.#others.get(address)
  }

  /** What there is room for, address first. */
  entries(): [string, T][] {
    this.#trim(Math.max(0, this.#max - this.#members.size))
    return [...this.#members, ...this.#others]
  }

  #trim(size: number): void {
    if (this.#others.size <= size) return
    this.#dropped += this.#others.size - size
    const sorted = [...this.#others].sort(([a], [b]) => (a < b ? -1 : 1))
    this.#others = new Map(sorted.slice(0, size))
  }
}
