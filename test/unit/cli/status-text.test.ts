import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatBytes, formatStatus } from '#src/cli/status-text.js'
import { sampleStatus } from '../admin/fake-service.ts'

test('formatStatus() aligns what it prints', () => {
  assert.equal(
    formatStatus(sampleStatus),
    `mcs-lb 0.1.0, pid 4711, serving since 2025-01-01T00:00:00.000Z
file         /etc/mcs-lb/lb.yaml, generation 3
last reload  serving (admin, 12 ms) at 2025-01-02T00:00:00.000Z
connections  7 active of 500, 1234 in all
descriptors  40 open of 1024, room for 500 connections
access log   1227 written, 0 dropped

LISTENER  ADDRESS        UPSTREAM  ACTIVE  ACCEPTED       UP     DOWN
edge      0.0.0.0:64400  chat           7      1234  2.0 KiB  5.0 MiB

UPSTREAM  BALANCE      BACKEND        STATE  WEIGHT  ACTIVE  CONNECTIONS  FAILURES       UP   DOWN
chat      round-robin  10.0.0.1:9100  up          2       7         1230         4  2.0 KiB  999 B

WORKER  STATE    CONNECTIONS  ACCEPTED  RESTARTS
0       serving            7      1234         1

GENERATION  CONNECTIONS
2                     3
3                     4`,
  )
})

test('formatStatus() leaves out tables without rows', () => {
  const text = formatStatus({ ...sampleStatus, listeners: [], upstreams: [], workers: [], generations: [] })
  assert.doesNotMatch(text, /LISTENER|BACKEND|WORKER|GENERATION|\n\n/)
})

test('formatBytes() keeps one digit and knows where units end', () => {
  assert.deepEqual([0, 1023, 1024, 1536, 2 ** 40, 2 ** 70].map(formatBytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '1.0 TiB',
    '1048576.0 PiB',
  ])
})
