import { setTimeout as delay } from 'node:timers/promises'
import type { Backends } from './backends.ts'
import type { Sample } from './bars.ts'
import { askAtRate, askHttp, openIdle, sendBulk } from './loads.ts'
import { cpuSeconds, residentKiB } from './procfs.ts'
import type { Sandbox } from './sandbox.ts'
import { startTarget, type Target, type TargetName, type Variant } from './targets.ts'

export const rowNames = [
  'requests',
  'connections',
  'throughput',
  'latency',
  'memory',
  'log',
  'crowd',
  'backends',
] as const
export type RowName = (typeof rowNames)[number]

/** What a measurement works with. */
export interface Bench {
  readonly sandbox: Sandbox
  readonly backends: Backends
  readonly seconds: number
  readonly idle: { readonly memory: number; readonly crowd: number }
  /** Requests a second of the latency row. */
  readonly ratePerSecond: number
  warn(message: string): void
}

type Figures = Readonly<Record<string, number>>

/** The rows that load a target which runs for the whole bench: figures by metric. */
export const loadRows: Readonly<Partial<Record<RowName, (bench: Bench, target: Target) => Promise<Figures>>>> = {
  requests: async (bench, target) => {
    const before = cpuSeconds(target.pid)
    const result = await askHttp(target.http, bench.seconds, 'keep-alive')
    const cpu = cpuSeconds(target.pid) - before
    warnOfErrors(bench, target.name, result.errors)
    return { requests: result.perSecond, cpu: (cpu * 100_000) / result.requests }
  },
  connections: (bench, target) => connectionsPerSecond(bench, target, 'connections'),
  throughput: async (bench, target) => ({ throughput: await sendBulk(target.bulk, bench.seconds) }),
  latency: async (bench, target) => {
    const result = await askAtRate(bench.sandbox, target.http, bench.seconds, bench.ratePerSecond)
    warnOfErrors(bench, target.name, result.errors)
    if (result.perSecond < 0.9 * bench.ratePerSecond) {
      bench.warn(`${target.name} was asked ${Math.round(result.perSecond)} times a second only`)
    }
    return { p50: result.p50Us, p99: result.p99Us, rate: result.perSecond }
  },
}

/** KiB of resident memory for each idle connection, on a process of its own that has served before. */
export async function measureMemory(bench: Bench, name: TargetName): Promise<Figures> {
  return withTarget(bench, name, {}, async (target) => {
    const before = await settledKiB(target.pid)
    const idle = await openIdle(target.http, bench.idle.memory)
    const after = await settledKiB(target.pid)
    idle.close()
    return { memory: (after - before) / bench.idle.memory }
  })
}

/** A pair of runs of mcs-lb that differ in one thing, as [target, variant, idle connections]. */
type Pair = readonly (readonly [target: string, variant: Variant, idle: number])[]

type PairRow = 'log' | 'crowd' | 'backends'

function pairOf(row: PairRow, bench: Bench): Pair {
  if (row === 'log') {
    return [
      ['log on', { accessLog: true }, 0],
      ['log off', {}, 0],
    ]
  }
  if (row === 'backends') {
    return [
      ['1000 backends', { httpBackends: 1000 }, 0],
      ['3 backends', { httpBackends: 3 }, 0],
    ]
  }
  return [
    ['crowded', { httpBackends: 10, bystanders: 49 }, bench.idle.crowd],
    ['alone', { httpBackends: 10 }, 0],
  ]
}

/** Connections a second of mcs-lb in each variant of a pair, in turns, the first of them changing with the round. */
export async function measurePair(bench: Bench, row: PairRow, round: number): Promise<Sample[]> {
  const samples: Sample[] = []
  const pair = pairOf(row, bench)
  for (const [target, variant, idle] of round % 2 === 0 ? pair : pair.toReversed()) {
    const figures = await withTarget(bench, 'mcs-lb', variant, async (running) => {
      const held = await openIdle(running.http, idle)
      const result = await connectionsPerSecond(bench, running, row)
      held.close()
      return result
    })
    samples.push({ round, target, metric: row, value: figures[row] ?? Number.NaN })
  }
  return samples
}

/** One second of each kind of request, so that code is compiled and buffers exist before anything is measured. */
export async function warmUp(target: Target): Promise<void> {
  await askHttp(target.http, 1, 'close')
  await askHttp(target.http, 1, 'keep-alive')
}

async function withTarget(
  bench: Bench,
  name: TargetName,
  variant: Variant,
  measure: (target: Target) => Promise<Figures>,
): Promise<Figures> {
  const target = await startTarget(bench.sandbox, bench.backends, name, variant)
  try {
    await warmUp(target)
    return await measure(target)
  } finally {
    await target.stop()
  }
}

async function connectionsPerSecond(bench: Bench, target: Target, metric: string): Promise<Figures> {
  const result = await askHttp(target.http, bench.seconds, 'close')
  warnOfErrors(bench, target.name, result.errors)
  return { [metric]: result.perSecond }
}

/** Resident memory once it has stayed within 64 KiB for half a second, or after five seconds. */
async function settledKiB(pid: number): Promise<number> {
  let last = residentKiB(pid)
  for (let i = 0; i < 10; i++) {
    await delay(500)
    const now = residentKiB(pid)
    if (Math.abs(now - last) <= 64) return now
    last = now
  }
  return last
}

function warnOfErrors(bench: Bench, target: string, errors: number): void {
  if (errors > 0) bench.warn(`${target} gave ${errors} errors`)
}
