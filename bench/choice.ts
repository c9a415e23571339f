import type { Request } from '#src/balance/balancer.js'
import { buildGroups } from '#src/balance/group.js'
import { algorithmNames, createAlgorithm } from '#src/balance/registry.js'
import { seededRandom } from '#src/balance/seeded-random.js'
import type { BalanceAlgorithm } from '#src/model/config.js'
import { BACKEND_HELD_BYTES, BACKEND_TABLE_BYTES, BackendTable } from '#src/shared/backend-table.js'
import { median } from './parse.ts'

/**
 * What one choice costs: `node build/bench/choice.js` prints ns for each algorithm and number of backends. A choice takes
 * a place and gives back the oldest of two for each backend, so the counts differ and stay. Weights are 1, 2 and 4.
 *
 * Each figure is the least of ROUNDS medians of RUNS runs: what else runs on the machine can only make them longer. The
 * exit code says whether the bars hold.
 */
const SIZES = [3, 10, 100, 1000, 10_000]
/** Most ns that a choice may take, by number of backends. */
const BARS: Readonly<Record<number, number>> = { 10: 1000, 1000: 3000 }
const ROUNDS = 5
const RUNS = 5
const RUN_MS = 8

const table = new BackendTable(new SharedArrayBuffer(BACKEND_TABLE_BYTES), new SharedArrayBuffer(BACKEND_HELD_BYTES))

/** Returns a function that makes so many choices. */
function prepare(name: BalanceAlgorithm, backends: number): (choices: number) => void {
  const members = Array.from({ length: backends }, (_, row) => {
    table.assign(row, row + 1)
    table.noteLatency(row, 1 + (row % 7), 0)
    return { row, weight: 1 << (row % 3), maxConnections: 1000, priority: 0, name: `10.0.${row >> 8}.${row & 255}:80` }
  })
  const [group] = buildGroups(members)
  const cursors = new Int32Array(new SharedArrayBuffer(4))
  const algorithm = createAlgorithm(name, { group: group!, table, cursors, cursor: 0, random: seededRandom(1) })
  const request = { clientHash: 1, isExcluded: (row: number) => row < 0 } satisfies Request
  const open = new Int32Array(2 * backends).fill(-1)
  let oldest = 0
  return (choices) => {
    for (let n = 0; n < choices; n++) {
      request.clientHash = (Math.imul(request.clientHash, 1_664_525) + 1_013_904_223) | 0
      const index = algorithm.choose(request, false)
      if (index < 0) throw new Error(`${name} chose none of ${backends}`)
      if (open[oldest]! >= 0) table.release(open[oldest]!)
      open[oldest] = group!.rows[index]!
      oldest = oldest + 1 === open.length ? 0 : oldest + 1
    }
  }
}

function measureNs(choose: (choices: number) => void): number {
  let choices = 16
  let tookMs = timeMs(choose, choices)
  while (tookMs < RUN_MS) {
    choices *= 2
    tookMs = timeMs(choose, choices)
  }
  const medians = Array.from({ length: ROUNDS }, () =>
    median(Array.from({ length: RUNS }, () => (timeMs(choose, choices) * 1e6) / choices)),
  )
  return Math.min(...medians)
}

function timeMs(choose: (choices: number) => void, choices: number): number {
  const startMs = performance.now()
  choose(choices)
  return performance.now() - startMs
}

function cell(text: string): string {
  return text.padStart(12)
}

let exceeded = 0
console.log(`${'ns a choice'.padEnd(20)}${SIZES.map((size) => cell(String(size))).join('')}`)
console.log(`${'bar'.padEnd(20)}${SIZES.map((size) => cell(size in BARS ? `≤ ${BARS[size]}` : '')).join('')}`)
for (const name of algorithmNames) {
  const cells = SIZES.map((size) => {
    const ns = measureNs(prepare(name, size))
    const holds = ns <= (BARS[size] ?? Infinity)
    if (!holds) exceeded++
    // Places that are still open would burden the next algorithm.
    table.abandon()
    return cell(`${ns.toFixed(0)}${holds ? '' : ' !'}`)
  })
  console.log(`${name.padEnd(20)}${cells.join('')}`)
}
process.exitCode = exceeded === 0 ? 0 : 1
