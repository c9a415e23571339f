import type { StickyRecord } from './sticky-record.ts'

/** Records that one store reads back at most; more are left where they are. */
export const MAX_STORED_RECORDS = 2_097_152

/** Where sticky entries outlive the process. */
export interface StickyStore {
  /** What {@link save} is given: every record, or those that changed since the last save that was complete. */
  readonly takes: 'all' | 'changes'
  /**
   * What was saved, in batches; of two records of a client the one that ends later holds. Content that is damaged is
   * left out, and said in the log. Throws McsError MCS_SYSTEM where it cannot be read at all.
   */
  load(): AsyncIterable<readonly StickyRecord[]>
  /** Throws McsError MCS_SYSTEM; what was saved before is then still there. */
  save(batches: AsyncIterable<readonly StickyRecord[]>): Promise<void>
}
