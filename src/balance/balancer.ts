import type { BackendGroup as Group } from '../model/snapshot.ts'
import type { BackendTable } from '../shared/backend-table.ts'

export type { Group }

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
