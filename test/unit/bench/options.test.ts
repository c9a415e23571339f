import assert from 'node:assert/strict'
import test from 'node:test'
import { parseOptions } from '../../../bench/options.ts'

test('parseOptions() runs everything for nine rounds of three seconds unless told', () => {
  const { rounds, seconds, rows, targets, smoke } = parseOptions([])
  assert.deepEqual([rounds, seconds, rows.length, targets.length, smoke], [9, 3, 8, 5, false])
})

test('parseOptions() reads every option, and keeps the order of the rows', () => {
  const args = [
    '--rounds',
    '2',
    '--seconds',
    '1',
    '--only',
    'latency,requests',
    '--targets',
    'nginx',
    '--json',
    'a.json',
  ]
  const { rounds, seconds, rows, targets, json } = parseOptions(args)
  assert.deepEqual([rounds, seconds, rows, targets, json], [2, 1, ['requests', 'latency'], ['nginx'], 'a.json'])
})

test('parseOptions() makes a smoke run one round of one second', () => {
  const { rounds, seconds, smoke } = parseOptions(['--smoke'])
  assert.deepEqual([rounds, seconds, smoke], [1, 1, true])
})

test('parseOptions() refuses what it does not know, and says what it knows', () => {
  assert.throws(() => parseOptions(['--only', 'speed']), /does not know "speed"; it knows requests, connections/)
  assert.throws(() => parseOptions(['--rounds', '0']), /takes a whole number from 1 to 9999, not "0"/)
})
