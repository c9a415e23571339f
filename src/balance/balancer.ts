import type { BackendTable } from '../shared/backend-table.ts'

/** A backend as a balancer sees it. */
export interface Candidate {
  readonly row: number
  /** Infinity for no limit. */
  readonly maxConnections: number
}

/** Picks backends of one upstream. Pure: what it remembers lies in shared memory, so that all workers agree. */
export interface Balancer {
  /**
   * Chooses a backend, takes a place at it in `table`, and returns its position; -1 when none can take a connection.
   * `isExcluded` names the rows that this connection has tried already.
   */
  choose(table: BackendTable, isExcluded: (row: number) => boolean): number
}
