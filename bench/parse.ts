/** What one run of wrk says. */
export interface WrkResult {
  readonly requests: number
  readonly perSecond: number
  /** Socket errors and answers other than 2xx and 3xx. */
  readonly errors: number
}

/** Reads wrk's summary. Throws when there is none, for example because nothing could be reached. */
export function parseWrk(output: string): WrkResult {
  const requests = numberIn(output, /(\d+) requests in /)
  const perSecond = numberIn(output, /Requests\/sec:\s+([\d.]+)/)
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output)?.slice(1) ?? []
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? '0'
  return { requests, perSecond, errors: [...sockets, refused].reduce((sum, count) => sum + Number(count), 0) }
}

/** Gbit/s as iperf3's receiver saw them, from the output of `iperf3 --json`. */
export function parseIperf(output: string): number {
  const result = JSON.parse(output) as { error?: string; end?: { sum_received?: { bits_per_second?: number } } }
  const bits = result.end?.sum_received?.bits_per_second
  if (bits === undefined) throw new Error(`iperf3 gave no result: ${result.error ?? output.slice(0, 200)}`)
  return bits / 1e9
}

/** Latencies of one run at a fixed rate. */
export interface LatencyResult {
  readonly p50Us: number
  readonly p99Us: number
  /** Answers a second that were counted; far below the rate that was asked for, the percentiles mean nothing. */
  readonly perSecond: number
  readonly errors: number
}

/**
 * Reads h2load's log file: one line a request, `start in µs since 1970 <tab> status <tab> µs until the answer's end`.
 * Requests that began in the first `skipMs` are left out: they met cold connections.
 */
export function parseH2loadLog(log: string, skipMs: number): LatencyResult {
  const rows = log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t').map(Number) as [number, number, number])
  const startUs = rows.reduce((least, [start]) => Math.min(least, start), Infinity) + skipMs * 1000
  const counted = rows.filter(([start]) => start >= startUs)
  const endUs = counted.reduce((most, [start]) => Math.max(most, start), startUs)
  const latencies = counted.filter(([, status]) => status === 200).map(([, , us]) => us)
  if (latencies.length === 0) throw new Error('h2load counted no answer')
  return {
    p50Us: percentile(latencies, 0.5),
    p99Us: percentile(latencies, 0.99),
    perSecond: latencies.length / Math.max(1e-6, (endUs - startUs) / 1e6),
    errors: counted.length - latencies.length,
  }
}

/** CPU time of a process in clock ticks, user and system, all its threads, from /proc/PID/stat (proc(5)). */
export function parseStatTicks(stat: string): number {
  // The second field is the program's name in parentheses, and may hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

/** The value at a fraction of the sorted values, nearest rank: 0.5 is the median for an odd count. */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = Float64Array.from(values).sort()
  const value = sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)]
  if (value === undefined) throw new Error('A percentile of nothing was asked for')
  return value
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const opposite = percentile(
    values.map((value) => -value),
    0.5,
  )
  return (percentile(values, 0.5) - opposite) / 2
}

function numberIn(output: string, pattern: RegExp): number {
  const found = pattern.exec(output)?.[1]
  if (found === undefined) throw new Error(`wrk gave no result: ${output.trim().slice(0, 200)}`)
  return Number(found)
}
