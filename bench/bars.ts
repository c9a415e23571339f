import { median } from './parse.ts'

/** One figure: what was measured, on which target, in which round (from 0). */
export interface Sample {
  readonly round: number
  readonly target: string
  readonly metric: string
  readonly value: number
}

/** What mcs-lb must reach. Without `against` the figure itself is held to the bar, else its ratio to the best of them. */
export interface Bar {
  readonly metric: string
  readonly target: string
  readonly against: readonly string[]
  readonly atLeast?: number
  readonly atMost?: number
}

/** The rounds below which a median says too little to hold a bar. */
export const ROUNDS_FOR_A_VERDICT = 9

export const bars: readonly Bar[] = [
  { metric: 'requests', target: 'mcs-lb', against: ['haproxy'], atLeast: 0.97 },
  { metric: 'connections', target: 'mcs-lb', against: ['haproxy'], atLeast: 1 },
  { metric: 'connections', target: 'mcs-lb', against: ['nginx'], atLeast: 1.15 },
  { metric: 'throughput', target: 'mcs-lb', against: ['haproxy', 'nginx'], atLeast: 1.4 },
  { metric: 'throughput', target: 'mcs-lb', against: ['haproxy-256k', 'nginx-256k'], atLeast: 0.95 },
  { metric: 'p99', target: 'mcs-lb', against: ['haproxy'], atMost: 1.1 },
  { metric: 'memory', target: 'mcs-lb', against: [], atMost: 0.5 },
  { metric: 'log', target: 'log on', against: ['log off'], atLeast: 0.85 },
  { metric: 'crowd', target: 'crowded', against: ['alone'], atLeast: 0.95 },
  { metric: 'backends', target: '1000 backends', against: ['3 backends'], atLeast: 0.97 },
]

/** A bar with what was measured: one value a round, where that round has all that the bar needs. */
export interface Verdict {
  readonly bar: Bar
  readonly values: readonly number[]
  readonly median: number
  readonly holds: boolean
  /** Whether there were rounds enough to believe `holds`. */
  readonly settled: boolean
}

/** Holds the samples to the bars; a bar without samples is left out. */
export function judge(samples: readonly Sample[], all: readonly Bar[] = bars): Verdict[] {
  return all.flatMap((bar) => {
    const values = pairedValues(samples, bar)
    if (values.length === 0) return []
    const middle = median(values)
    const holds = middle >= (bar.atLeast ?? -Infinity) && middle <= (bar.atMost ?? Infinity)
    return [{ bar, values, median: middle, holds, settled: values.length >= ROUNDS_FOR_A_VERDICT }]
  })
}

/** The value of each round: a figure, or its ratio to the best of `against` in the same round. */
function pairedValues(samples: readonly Sample[], { metric, target, against, atMost }: Bar): number[] {
  const ofMetric = samples.filter((sample) => sample.metric === metric)
  return ofMetric
    .filter((sample) => sample.target === target)
    .flatMap(({ round, value }) => {
      const peers = ofMetric.filter((sample) => sample.round === round && against.includes(sample.target))
      if (peers.length < against.length) return []
      if (peers.length === 0) return [value]
      const best = atMost === undefined ? Math.max : Math.min
      return [value / best(...peers.map((peer) => peer.value))]
    })
}
