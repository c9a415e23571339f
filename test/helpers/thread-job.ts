import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import type { Group } from '#src/balance/balancer.js'
import { seededRandom } from '#src/balance/seeded-random.js'
import { TieredBalancer } from '#src/balance/tiered.js'
import type { BalanceAlgorithm } from '#src/model/config.js'
import { AccessField } from '#src/shared/access-record.js'
import { BackendTable } from '#src/shared/backend-table.js'
import { CounterPage } from '#src/shared/counter-page.js'
import { RecordRing } from '#src/shared/record-ring.js'
import { Random } from '../simulation/random.ts'

/** What a thread of {@link file://./threads.ts} may be asked to do. All memory is shared. */
export type Job =
  | AcquireJob
  | ChooseJob
  | { readonly type: 'add'; readonly page: SharedArrayBuffer; readonly amount: number; readonly times: number }
  | { readonly type: 'finishCarry'; readonly page: SharedArrayBuffer; readonly ready: SharedArrayBuffer }
  | { readonly type: 'record'; readonly ring: SharedArrayBuffer; readonly records: number }

/** Takes places at a backend with a limit and gives each back; returns the most that it saw, and what it holds. */
interface AcquireJob {
  readonly type: 'acquire'
  readonly active: SharedArrayBuffer
  readonly held: SharedArrayBuffer
  readonly row: number
  readonly limit: number
  readonly rounds: number
}

/** Chooses backends for clients of its own; keeps so many places and gives back the oldest for the next. */
interface ChooseJob {
  readonly type: 'choose'
  readonly algorithm: BalanceAlgorithm
  readonly groups: readonly Group[]
  readonly active: SharedArrayBuffer
  readonly held: SharedArrayBuffer
  readonly cursors: SharedArrayBuffer
  readonly seed: number
  readonly choices: number
  readonly keep: number
}

/** What became of the choices of one thread. */
export interface Chosen {
  /** How often each position was chosen. */
  readonly counts: number[]
  /** The most connections that this thread saw at each position, straight after it took a place there. */
  readonly most: number[]
  /** How often there was none. */
  readonly none: number
}

function run(job: Job): unknown {
  switch (job.type) {
    case 'acquire':
      return acquire(job)
    case 'choose':
      return choose(job)
    case 'add':
      return add(new CounterPage(job.page), job.amount, job.times)
    case 'finishCarry':
      return finishCarry(new Int32Array(job.page), new Int32Array(job.ready))
    case 'record':
      return record(new RecordRing(job.ring), job.records)
  }
}

function acquire({ active, held, row, limit, rounds }: AcquireJob): { most: number; taken: number } {
  const table = new BackendTable(active, held)
  let most = 0
  let taken = 0
  for (let round = 0; round < rounds; round++) {
    let places = 0
    while (places < limit && table.acquire(row, limit)) places++
    most = Math.max(most, table.active(row))
    taken += places
    // The last round's places are kept, so that what is left can be compared with what each thread holds.
    for (; places > 0 && round < rounds - 1; places--) table.release(row)
  }
  return { most, taken }
}

function choose({ algorithm, groups, active, held, cursors, seed, choices, keep }: ChooseJob): Chosen {
  const table = new BackendTable(active, held)
  const chance = new Random(seed)
  const cells = new Int32Array(cursors)
  const balancer = new TieredBalancer({
    algorithm,
    groups,
    table,
    cursors: cells,
    cursor: 0,
    random: seededRandom(seed),
  })
  const rowOf = new Map(groups.flatMap(({ positions, rows }) => [...positions].map((at, i) => [at, rows[i]!] as const)))
  const counts = new Array<number>(rowOf.size).fill(0)
  const most = new Array<number>(rowOf.size).fill(0)
  const kept: number[] = []
  let none = 0
  for (let n = 0; n < choices; n++) {
    if (kept.length === keep) table.release(rowOf.get(kept.shift()!)!)
    const position = balancer.choose({ clientHash: chance.next(), isExcluded: () => false }, 0)
    if (position < 0) {
      none++
      continue
    }
    counts[position]! += 1
    most[position] = Math.max(most[position]!, table.active(rowOf.get(position)!))
    if (keep < choices) kept.push(position)
  }
  return { counts, most, none }
}

function add(page: CounterPage, amount: number, times: number): number {
  for (let n = 0; n < times; n++) page.add(0, amount)
  return times
}

/** Says that it is there, waits until a carry of counter 0 is open, and ends it as a writer does. */
function finishCarry(words: Int32Array, ready: Int32Array): boolean {
  Atomics.store(ready, 0, 1)
  Atomics.wait(words, 0, 0)
  Atomics.add(words, 3, 1)
  Atomics.add(words, 0, 1)
  return true
}

/** Writes numbered records; returns the numbers that found the ring full. */
function record(ring: RecordRing, records: number): number[] {
  const dropped: number[] = []
  for (let n = 0; n < records; n++) {
    const base = ring.reserve()
    if (base < 0) {
      dropped.push(n)
      continue
    }
    ring.words.fill(n, base, base + 32)
    ring.words[base + AccessField.generation / 4] = n
    ring.publish()
  }
  return dropped
}

if (!isMainThread) {
  const { job, barrier, threads } = workerData as { job: Job; barrier: SharedArrayBuffer; threads: number }
  const arrived = new Int32Array(barrier)
  Atomics.add(arrived, 0, 1)
  Atomics.notify(arrived, 0)
  for (let seen = Atomics.load(arrived, 0); seen < threads; seen = Atomics.load(arrived, 0))
    Atomics.wait(arrived, 0, seen)
  parentPort!.postMessage(run(job))
}
