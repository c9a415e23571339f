import type { TestContext } from 'node:test'
import { Worker } from 'node:worker_threads'
import { atEnd } from './cleanup.ts'
import type { Job } from './thread-job.ts'

const entry = new URL('./thread-job.js', import.meta.url)

/**
 * Runs one job in each of several threads at once and returns what they returned. They begin together: each waits until
 * all are there.
 */
export async function runInThreads<Result>(t: TestContext, jobs: readonly Job[]): Promise<Result[]> {
  const barrier = new SharedArrayBuffer(4)
  return Promise.all(jobs.map((job) => startThread<Result>(t, { job, barrier, threads: jobs.length })))
}

function startThread<Result>(t: TestContext, workerData: unknown): Promise<Result> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(entry, { workerData })
    atEnd(t, () => thread.terminate())
    thread.once('message', resolve)
    thread.once('error', reject)
    thread.once('exit', (code) => reject(new Error(`the thread ended with ${code} and without a result`)))
  })
}
