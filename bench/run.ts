import { startBackends } from './backends.ts'
import type { Sample } from './bars.ts'
import { askHttp } from './loads.ts'
import type { Options } from './options.ts'
import { median } from './parse.ts'
import { descriptorLimit } from './procfs.ts'
import { type Bench, loadRows, measureMemory, measurePair, type RowName, warmUp } from './rows.ts'
import type { Sandbox } from './sandbox.ts'
import { startTarget, type Target } from './targets.ts'

/** The share of HAProxy's requests/s at which latency is measured. */
const LATENCY_LOAD = 0.7
/** Descriptors that are kept for everything but idle connections. */
const SPARE_DESCRIPTORS = 500

/** Runs every row on every target, in rounds. `say` gets a line for each step. */
export async function runBench(options: Options, sandbox: Sandbox, say: (line: string) => void): Promise<Sample[]> {
  const backends = await startBackends(sandbox)
  const targets: Target[] = []
  for (const name of options.targets) targets.push(await startTarget(sandbox, backends, name))
  for (const target of targets) await warmUp(target)
  const bench: Bench = {
    sandbox,
    backends,
    seconds: options.seconds,
    idle: { memory: affordable(options.idle.memory, say), crowd: affordable(options.idle.crowd, say) },
    ratePerSecond: options.rows.includes('latency') ? await latencyRate(options, targets, say) : 0,
    warn: (message) => say(`warning: ${message}`),
  }
  const samples: Sample[] = []
  for (let round = 0; round < options.rounds; round++) {
    for (const row of options.rows) {
      say(`round ${round + 1} of ${options.rounds}: ${row}`)
      samples.push(...(await measureRow(bench, row, rotate(targets, round), round)))
    }
  }
  return samples
}

/** One row on every target that it is for, one after the other. */
async function measureRow(bench: Bench, row: RowName, targets: readonly Target[], round: number): Promise<Sample[]> {
  if (row === 'log' || row === 'crowd' || row === 'backends') {
    return targets.some(({ name }) => name === 'mcs-lb') ? measurePair(bench, row, round) : []
  }
  const samples: Sample[] = []
  for (const target of targets) {
    const load = loadRows[row]
    const figures = load === undefined ? await measureMemory(bench, target.name) : await load(bench, target)
    for (const [metric, value] of Object.entries(figures)) samples.push({ round, target: target.name, metric, value })
  }
  return samples
}

/** One rate for all targets and rounds, from three runs of HAProxy, or of the first target where it is left out. */
async function latencyRate(options: Options, targets: readonly Target[], say: (line: string) => void): Promise<number> {
  const target = targets.find(({ name }) => name === 'haproxy') ?? targets[0]
  if (target === undefined) return 0
  const peaks: number[] = []
  for (let i = 0; i < 3; i++) peaks.push((await askHttp(target.http, options.seconds, 'keep-alive')).perSecond)
  const rate = LATENCY_LOAD * median(peaks)
  say(`latency is measured at ${Math.round(rate)} requests/s, ${LATENCY_LOAD * 100} % of the peak of ${target.name}`)
  return rate
}

/** How many idle connections the descriptor limit allows: a load balancer needs two descriptors for each. */
function affordable(wanted: number, say: (line: string) => void): number {
  const limit = descriptorLimit()
  const most = Math.floor((limit - SPARE_DESCRIPTORS) / 2)
  if (most >= wanted) return wanted
  say(`warning: the limit of ${limit} descriptors allows ${most} idle connections, not ${wanted}`)
  return most
}

function rotate<T>(items: readonly T[], by: number): readonly T[] {
  const start = by % Math.max(1, items.length)
  return [...items.slice(start), ...items.slice(0, start)]
}
