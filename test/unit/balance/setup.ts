import type { Algorithm, Group, Request } from '#src/balance/balancer.js'
import { buildGroups, type GroupMember } from '#src/balance/group.js'
import { createAlgorithm } from '#src/balance/registry.js'
import { seededRandom } from '#src/balance/seeded-random.js'
import type { BalanceAlgorithm } from '#src/model/config.js'
import { BACKEND_HELD_BYTES, BACKEND_TABLE_BYTES, BackendTable } from '#src/shared/backend-table.js'
import type { Chosen } from '../../helpers/thread-job.ts'
import { Random } from '../../simulation/random.ts'

/** Rows that tests use. */
const ROWS = 1024

const active = new SharedArrayBuffer(BACKEND_TABLE_BYTES)
const held = new SharedArrayBuffer(BACKEND_HELD_BYTES)

/** A table without connections. The memory is large, so it is laid out once and the first rows are cleaned. */
export function emptyTable(): BackendTable {
  const table = new BackendTable(active, held)
  table.abandon()
  for (let row = 0; row < ROWS; row++) table.assign(row, row + 1)
  return table
}

/** Members with one weight each, the rows counted from 0; what else they have may be given by position. */
export function membersOf(
  weights: readonly number[],
  change: (position: number) => Partial<GroupMember> = () => ({}),
): GroupMember[] {
  return weights.map((weight, position) => ({
    row: position,
    weight,
    maxConnections: Number.POSITIVE_INFINITY,
    priority: 0,
    name: `10.0.${position >> 8}.${position & 255}:9100`,
    ...change(position),
  }))
}

/** The one group of members that all have the same priority. */
export function groupOf(weights: readonly number[], maxConnections = Number.POSITIVE_INFINITY): Group {
  return buildGroups(membersOf(weights, () => ({ maxConnections })))[0]!
}

export function algorithmOf(
  name: BalanceAlgorithm,
  group: Group,
  table: BackendTable,
  { cursors = new Int32Array(1), random = seededRandom(1) }: { cursors?: Int32Array; random?: () => number } = {},
): Algorithm {
  return createAlgorithm(name, { group, table, cursors, cursor: 0, random })
}

export function requestOf(clientHash = 0, isExcluded: (row: number) => boolean = () => false): Request {
  return { clientHash, isExcluded }
}

/** Chooses `times` times for clients of their own and counts by index; each place is given back at once unless kept. */
export function countChoices(
  algorithm: Algorithm,
  group: Group,
  times: number,
  { release, seed = 1 }: { release?: BackendTable; seed?: number } = {},
): number[] {
  const clients = new Random(seed)
  const counts = new Array<number>(group.rows.length).fill(0)
  for (let n = 0; n < times; n++) {
    const index = algorithm.choose(requestOf(clients.next() | 0), false)
    if (index < 0) continue
    counts[index]! += 1
    release?.release(group.rows[index]!)
  }
  return counts
}

/**
 * Pearson's chi-square over the one that is exceeded once in a million times by chance (Wilson and Hilferty's
 * approximation): above 1, the counts are not what the weights ask for.
 */
export function unevenness(counts: readonly number[], weights: readonly number[]): number {
  const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)
  const expected = weights.map((weight) => (weight * sum(counts)) / sum(weights))
  const chiSquare = sum(counts.map((count, at) => (count - expected[at]!) ** 2 / expected[at]!))
  const freedom = counts.length - 1
  const spread = 2 / (9 * freedom)
  return chiSquare / (freedom * (1 - spread + 4.753 * Math.sqrt(spread)) ** 3)
}

/** Jobs for several threads over one table; `activeAt` then tells the connections of a row. */
export function threadJobs(
  algorithm: BalanceAlgorithm,
  groups: readonly Group[],
  { threads, choices, keep }: { threads: number; choices: number; keep: number },
) {
  const shared = new SharedArrayBuffer(BACKEND_TABLE_BYTES)
  const cursors = new SharedArrayBuffer(4 * groups.length)
  const jobs = Array.from({ length: threads }, (_, seed) => ({
    type: 'choose' as const,
    ...{ algorithm, groups, active: shared, held: new SharedArrayBuffer(BACKEND_HELD_BYTES), cursors, seed },
    ...{ choices, keep },
  }))
  const table = new BackendTable(shared, new SharedArrayBuffer(BACKEND_HELD_BYTES))
  return { jobs, activeAt: (row: number) => table.active(row) }
}

/** How often each position was chosen by all threads together. */
export function sumCounts(results: readonly Chosen[]): number[] {
  return results[0]!.counts.map((_, position) => results.reduce((sum, { counts }) => sum + counts[position]!, 0))
}
