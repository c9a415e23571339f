import { BACKUP_PRIORITY, type BalanceAlgorithm } from '../model/config.ts'
import type { BackendTable } from '../shared/backend-table.ts'
import type { Algorithm, AlgorithmParts, Group, Request } from './balancer.ts'
import { createAlgorithm } from './registry.ts'

/**
 * Cells that an upstream has among the cursors: one for each group. With one for all, a round in vain over the primaries
 * would move the place of the backups.
 */
export const CURSORS_PER_UPSTREAM = BACKUP_PRIORITY + 1

export interface TieredParts {
  readonly algorithm: BalanceAlgorithm
  /** By ascending priority, as buildGroups gives them; at most {@link CURSORS_PER_UPSTREAM}. */
  readonly groups: readonly Group[]
  readonly table: BackendTable
  /** Shared by all workers: this upstream's cells are those from `cursor` on, {@link CURSORS_PER_UPSTREAM} of them. */
  readonly cursors: AlgorithmParts['cursors']
  readonly cursor: number
  /** A number from 0 to below 1. */
  random(): number
}

/** Balances one membership: the backends of the lowest priority number first, the next ones when none of them can. */
export class TieredBalancer {
  readonly #groups: readonly Group[]
  readonly #algorithms: readonly Algorithm[]

  constructor({ algorithm, groups, table, cursors, cursor, random }: TieredParts) {
    if (groups.length > CURSORS_PER_UPSTREAM) throw new RangeError(`${groups.length} groups have no cursor each`)
    if (cursor + groups.length > cursors.length) throw new RangeError(`No cursors from ${cursor} on`)
    this.#groups = groups
    this.#algorithms = groups.map((group, index) =>
      createAlgorithm(algorithm, { group, table, cursors, cursor: cursor + index, random }),
    )
  }

  /**
   * Takes a place at a backend and returns its position in the membership, or -1 when none can take the connection. Bit
   * i of `panicBits` says that group i is in panic: its health is ignored; the operator's word, maxConnections and what is
   * excluded are not.
   */
  choose(request: Request, panicBits: number): number {
    for (let group = 0; group < this.#algorithms.length; group++) {
      const index = this.#algorithms[group]!.choose(request, ((panicBits >>> group) & 1) === 1)
      if (index >= 0) return this.#groups[group]!.positions[index]!
    }
    return -1
  }
}
