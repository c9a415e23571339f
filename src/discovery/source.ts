import type { ServerConfig } from '../model/config.ts'
import type { RefusalReason, Refusals } from './member.ts'
import type { MemberFilter } from './member-filter.ts'
import type { FoundMember } from './member-set.ts'
import type { RefusedEntry } from './refused-entry.ts'
import type { UnknownField } from './unknown-fields.ts'

/** What one complete read of a source gave. */
export interface SourceRead {
  readonly found: readonly FoundMember[]
  readonly refused: Refusals
  /** A few of those that were refused. */
  readonly named: readonly RefusedEntry[]
  /** Why nobody was found, where that is so; empty otherwise. */
  readonly nothing: string
  /** A few fields that were ignored; only of sources that people write. */
  readonly unknown?: readonly UnknownField[]
  /** Least time to the next read, where the source says so; the interval counts where it is longer. */
  readonly freshForMs?: number
  /** A part of the source that fails while the rest is read, and what would help: one line without secrets. */
  readonly trouble?: string
}

/** What became of members whose own time was over. */
export interface Confirmation {
  readonly gone: readonly string[]
  /** Deadlines of those that are alive after all; undefined for none. */
  readonly alive: ReadonlyMap<string, number | undefined>
}

/** Where members are found. It keeps no opinion of its own: what is believed is for the set to say. */
export interface Source {
  /** The whole of what the source holds; rejects where it could not be read to its end. */
  read(): Promise<SourceRead>
  /** Asks about single members; only of sources whose members have deadlines. */
  confirm?(addresses: readonly string[]): Promise<Confirmation>
  /** Why a read failed, in one line without secrets. */
  describe(error: unknown): string
  /** Gives up what a read that takes too long waits for. */
  interrupt?(): void
  close(): Promise<void>
}

/** What a source is given beside its configuration. */
export interface SourceContext {
  readonly filter: MemberFilter
  /** Whether an address is a member now. */
  isMember(address: string): boolean
  /** Who is believed now, but for those whom another source has told. */
  members(): readonly ServerConfig[]
  /** Milliseconds of a clock that does not jump. */
  now(): number
  /** Something may have changed: a read before the next interval is worth it. */
  hint(): void
}

/** Entries that a read has refused, by reason, with those for whom there was no place. */
export function countRefused({ refused }: SourceRead, tooMany: number): Partial<Record<RefusalReason, number>> {
  const counts: Partial<Record<RefusalReason, number>> = Object.fromEntries([...refused].sort())
  if (tooMany > 0) counts['too-many'] = (counts['too-many'] ?? 0) + tooMany
  return counts
}
