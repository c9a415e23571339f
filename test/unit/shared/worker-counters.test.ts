import assert from 'node:assert/strict'
import test from 'node:test'
import { MAX_BACKENDS, MAX_LISTENERS } from '#src/shared/limits.js'
import {
  BackendCounter,
  createWorkerCounterMemory,
  ListenerCounter,
  WorkerCounters,
} from '#src/shared/worker-counters.js'

const listenerFields = Object.values(ListenerCounter)
const backendFields = Object.values(BackendCounter)

test('WorkerCounters keeps every field of every row apart, up to the last row', () => {
  const counters = new WorkerCounters(createWorkerCounterMemory())
  for (const row of [0, 1, MAX_LISTENERS - 1]) {
    for (const field of listenerFields) counters.addListener(row, field, 100 * row + field + 1)
  }
  for (const row of [0, 1, MAX_BACKENDS - 1]) {
    for (const field of backendFields) counters.addBackend(row, field, 100 * row + field + 1)
  }
  for (const row of [0, 1, MAX_LISTENERS - 1]) {
    for (const field of listenerFields) assert.equal(counters.readListener(row, field), 100 * row + field + 1)
  }
  for (const row of [0, 1, MAX_BACKENDS - 1]) {
    for (const field of backendFields) assert.equal(counters.readBackend(row, field), 100 * row + field + 1)
  }
})

test('WorkerCounters is read by another view of the same memory', () => {
  const memory = createWorkerCounterMemory()
  const writer = new WorkerCounters(memory)
  writer.addBackend(4, BackendCounter.bytesUp, 17)
  writer.changeListenerActive(2, 1)
  const reader = new WorkerCounters(memory)
  assert.equal(reader.readBackend(4, BackendCounter.bytesUp), 17)
  assert.equal(reader.listenerActive(2), 1)
})

test('WorkerCounters.clearListener() and clearBackend() clear one row and leave its neighbours', () => {
  const counters = new WorkerCounters(createWorkerCounterMemory())
  for (const row of [0, 1, 2]) {
    for (const field of listenerFields) counters.addListener(row, field, 5)
    for (const field of backendFields) counters.addBackend(row, field, 5)
  }
  counters.clearListener(1)
  counters.clearBackend(1)
  for (const row of [0, 1, 2]) {
    for (const field of listenerFields) assert.equal(counters.readListener(row, field), row === 1 ? 0 : 5)
    for (const field of backendFields) assert.equal(counters.readBackend(row, field), row === 1 ? 0 : 5)
  }
})

test('WorkerCounters.abandon() takes open connections out, keeps totals, and ends carries that were left open', () => {
  const memory = createWorkerCounterMemory()
  const counters = new WorkerCounters(memory)
  counters.changeListenerActive(0, 1)
  counters.changeListenerActive(3, 1)
  counters.addListener(3, ListenerCounter.accepted, 9)
  counters.addBackend(3, BackendCounter.connections, 8)
  new Int32Array(memory.listeners)[0] = 1
  new Int32Array(memory.backends)[0] = 1
  counters.abandon()
  assert.deepEqual([counters.listenerActive(0), counters.listenerActive(3)], [0, 0])
  assert.equal(counters.readListener(3, ListenerCounter.accepted), 9)
  assert.equal(counters.readBackend(3, BackendCounter.connections), 8)
})
