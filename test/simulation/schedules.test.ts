import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { describeFailure, type FailureKind, FIRST_SEED } from './sweep.ts'

const SCHEDULES = 100_000
const THREADS = 2

test(`Reactor relays every byte and every end in ${SCHEDULES} schedules`, async () => {
  const count = SCHEDULES / THREADS
  const sweeps = Array.from({ length: THREADS }, (_, i) => sweepInThread(FIRST_SEED + i * count, count))
  const failures = (await Promise.all(sweeps)).flat()
  assert.equal(failures.map(describeFailure).join('\n'), '')
})

async function sweepInThread(first: number, count: number): Promise<FailureKind[]> {
  const worker = new Worker(new URL('./sweep-worker.js', import.meta.url), { workerData: { first, count } })
  const [failures] = (await once(worker, 'message')) as [FailureKind[]]
  return failures
}
