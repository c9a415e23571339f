import type { StormResult } from './storm.ts'

/** What became of a storm, as text. */
export function stormTable({ tookMs, served, refused, short, streams, causes, failures }: StormResult): string {
  const counts = (record: Readonly<Record<string, number>>) =>
    Object.entries(record)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')
  const sum = (record: Readonly<Record<string, number>>) => Object.values(record).reduce((a, b) => a + b, 0)
  const load = (name: string, cells: readonly (number | string)[]) =>
    `${name.padEnd(26)}${cells.map((cell) => String(cell).padStart(11)).join('')}`
  const row = (name: string, results: StormResult['short']['edge']) =>
    load(name, [
      results.ok,
      results.refused,
      results.reset,
      results.truncated,
      results.mismatched,
      results.hung,
      results.slow,
    ])
  return [
    `${sum(served) + sum(refused)} reloads in ${(tookMs / 1000).toFixed(1)} s`,
    `  served   ${sum(served)}: ${counts(served)}`,
    `  refused  ${sum(refused)}: ${counts(refused)}`,
    '',
    load('', ['ok', 'refused', 'reset', 'truncated', 'mismatched', 'hung', 'slow SYN']),
    row('short, listener stays', short.edge),
    row('short, listener rebound', short.moved),
    load('streams', [
      streams.count - streams.refused - streams.reset - streams.truncated - streams.mismatched,
      streams.refused,
      streams.reset,
      streams.truncated,
      streams.mismatched,
      '-',
      '-',
    ]),
    '',
    `${(streams.bytes / 1e6).toFixed(1)} MB of streams checked; access log: ${counts(causes)}`,
    ...(failures.length === 0 ? ['PASS'] : failures.map((failure) => `FAIL ${failure}`)),
  ].join('\n')
}
