import type { BackendTable } from '../shared/backend-table.ts'

/**
 * The backends of one upstream that have the same priority, as arrays by position in the group. Never changed: another
 * membership has other groups.
 */
export interface Group {
  /** Position of each in its membership: what a choice answers with. */
  readonly positions: Uint32Array
  /** Row of each in the backend table. */
  readonly rows: Uint32Array
  /** 1 to 256. */
  readonly weights: Float64Array
  /** Infinity for no limit. */
  readonly maxConnections: Float64Array
  /** Hash of each one's address: the same in every process and for ever. */
  readonly identities: Int32Array
  /** Indexes into the arrays above, each as often as its weight asks: one round of weighted round-robin. */
  readonly schedule: Uint32Array
}

/** For whom a backend is chosen. One object, filled anew for each choice: nothing is allocated on this path. */
export interface Request {
  /** Hash of the client's address, cut to the upstream's prefix. */
  clientHash: number
  /** Rows that this connection has tried already. */
  isExcluded(row: number): boolean
}

/**
 * One algorithm over one group. Pure: what it remembers lies in shared memory, so that all workers agree, and chance
 * comes from the `random` it was made with.
 */
export interface Algorithm {
  /**
   * Chooses a backend of the group that is available and not excluded, takes a place at it in the table, and returns
   * its index in the group; -1 when there is none with room.
   */
  choose(request: Request, inPanic: boolean): number
}

/** What an algorithm is made with. */
export interface AlgorithmParts {
  readonly group: Group
  readonly table: BackendTable
  /** Shared by all workers: this upstream's cell is at `cursor`. It survives when snapshots change. */
  readonly cursors: Int32Array
  readonly cursor: number
  /** A number from 0 to below 1. */
  random(): number
}

/** A backend as a balancer sees it. */
export interface Candidate {
  readonly row: number
  /** Infinity for no limit. */
  readonly maxConnections: number
}

/** Picks backends of one upstream, as the data plane asks today; {@link Algorithm} takes its place. */
export interface Balancer {
  choose(table: BackendTable, isExcluded: (row: number) => boolean): number
}
