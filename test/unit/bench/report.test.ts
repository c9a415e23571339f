import assert from 'node:assert/strict'
import test from 'node:test'
import type { Sample } from '../../../bench/bars.ts'
import { medianTable, verdictTable } from '../../../bench/report.ts'

test('medianTable() has a line a metric and a column a target', () => {
  const samples: Sample[] = [
    { round: 0, target: 'haproxy', metric: 'requests', value: 100 },
    { round: 1, target: 'haproxy', metric: 'requests', value: 300 },
    { round: 0, target: 'nginx', metric: 'throughput', value: 9.96 },
  ]
  assert.equal(
    medianTable(samples),
    ['median      haproxy  nginx', 'requests/s      200', 'Gbit/s                10.0'].join('\n'),
  )
})

const bar = { metric: 'requests', target: 'mcs-lb', against: ['haproxy'], atLeast: 0.97 }
const verdict = { bar, values: [0.9, 1.1], median: 1, holds: true, settled: false }

test('verdictTable() shows median, range, limit and whether the rounds suffice', () => {
  assert.equal(
    verdictTable([verdict], false).split('\n')[1],
    'requests/s: mcs-lb ÷ haproxy    1.00  0.90–1.10  ≥ 0.97  PASS (too few rounds)',
  )
})

test('verdictTable() colours verdicts for terminals only', () => {
  const missed = { ...verdict, holds: false, settled: true }
  assert.equal(verdictTable([missed], true).endsWith('\u001b[31mMISS\u001b[0m'), true)
  assert.match(verdictTable([missed], false), /0\.97 +MISS$/)
})
