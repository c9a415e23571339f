import type { Sample, Verdict } from './bars.ts'
import { median } from './parse.ts'

/** How a metric is shown: its name with its unit, and how many decimals. In the order of the table. */
const metrics: Readonly<Record<string, readonly [label: string, decimals: number]>> = {
  requests: ['requests/s', 0],
  cpu: ['CPU s per 100k requests', 2],
  connections: ['connections/s', 0],
  throughput: ['Gbit/s', 1],
  p50: ['p50 µs at fixed rate', 0],
  p99: ['p99 µs at fixed rate', 0],
  rate: ['requests/s asked', 0],
  memory: ['KiB RSS per idle connection', 2],
  log: ['connections/s, access log', 0],
  crowd: ['connections/s, crowded', 0],
  backends: ['connections/s, many backends', 0],
}

/** The medians, one line a metric and one column a target, as text. */
export function medianTable(samples: readonly Sample[]): string {
  const targets = [...new Set(samples.map(({ target }) => target))]
  const lines = Object.entries(metrics).flatMap(([metric, [label, decimals]]) => {
    const cells = targets.map((target) => {
      const values = samples.filter((each) => each.metric === metric && each.target === target)
      return values.length === 0 ? '' : median(values.map(({ value }) => value)).toFixed(decimals)
    })
    return cells.every((cell) => cell === '') ? [] : [[label, ...cells]]
  })
  return alignColumns([['median', ...targets], ...lines])
}

/** The bars, one line each. `colour` is for terminals. */
export function verdictTable(verdicts: readonly Verdict[], colour: boolean): string {
  const lines = verdicts.map(({ bar, values, median: middle, holds, settled }) => {
    const [label] = metrics[bar.metric] ?? [bar.metric]
    const against = bar.against.length > 1 ? `better of ${bar.against.join(', ')}` : bar.against.join('')
    const limit = bar.atLeast === undefined ? `≤ ${bar.atMost}` : `≥ ${bar.atLeast}`
    const range = `${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)}`
    const what = against === '' ? label : `${label}: ${bar.target} ÷ ${against}`
    return [what, middle.toFixed(2), range, limit, paint(word(holds, settled), holds, colour)]
  })
  return alignColumns([['bar', 'median', 'rounds', 'limit', ''], ...lines])
}

function word(holds: boolean, settled: boolean): string {
  return `${holds ? 'PASS' : 'MISS'}${settled ? '' : ' (too few rounds)'}`
}

function paint(text: string, good: boolean, colour: boolean): string {
  return colour ? `\u001b[${good ? 32 : 31}m${text}\u001b[0m` : text
}

/** The first column to the left, the others to the right; the last is not padded, so that colours do not count. */
function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : padLeft(cell, i, widths))).join('  '))
    .map((line) => line.trimEnd())
    .join('\n')
}

function padLeft(cell: string, column: number, widths: readonly number[]): string {
  return cell.includes('\u001b') ? cell : cell.padStart(widths[column] ?? 0)
}
