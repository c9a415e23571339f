import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test, { type TestContext } from 'node:test'
import { whyNoThread } from '#src/control/program-version.js'
import { Supervisor } from '#src/control/supervisor.js'
import { WorkerHandle } from '#src/control/worker-handle.js'
import type { Snapshot } from '#src/model/snapshot.js'
import { WorkerCell } from '#src/shared/control-cells.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { breakWorker } from '../../helpers/in-process-service.ts'
import { createSharedMemory } from '../../helpers/shared-memory.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

function createSnapshot(generation: number, workers: number): Snapshot {
  return {
    generation,
    epoch: generation,
    workers,
    connectionLimit: 10,
    pendingBytesPerWorker: 1024,
    accessLog: false,
    listeners: [],
    upstreams: [],
  }
}

interface Made {
  readonly supervisor: Supervisor
  readonly crashes: number[]
  /** What was told of workers that are not replaced, and of giving up. */
  readonly told: string[]
  /** Why no thread may start. */
  whyNot: string | null
}

function createSupervisor(t: TestContext): Made {
  const crashes: number[] = []
  const told: string[] = []
  const events = {
    onCrash: (worker: number) => void crashes.push(worker),
    onNotReplaced: (worker: number, reason: string) => void told.push(`${worker}: ${reason}`),
    onGiveUp: (reason: string) => void told.push(reason),
    onFailing: () => {},
  }
  const shared = createSharedMemory()
  const createHandle = (id: number) => new WorkerHandle(id, shared)
  const supervisor = new Supervisor(shared.control, createHandle, events, () => made.whyNot)
  atEnd(t, () => supervisor.stop())
  const made: Made = { supervisor, crashes, told, whyNot: null }
  return made
}

async function serve(supervisor: Supervisor, snapshot: Snapshot): Promise<void> {
  await supervisor.prepare(snapshot)
  supervisor.commit(snapshot)
  await supervisor.switched(snapshot.generation)
}

test('Supervisor ends a worker that a snapshot no longer has', async (t) => {
  const { supervisor, crashes } = createSupervisor(t)
  await serve(supervisor, createSnapshot(1, 2))
  assert.equal(supervisor.running.length, 2)
  await serve(supervisor, createSnapshot(2, 1))
  await waitUntil('worker 1 is gone', () => supervisor.running.length === 1)
  assert.deepEqual(crashes, [])
})

test('Supervisor.prepare() revives a worker that is just ending, once', async (t) => {
  const { supervisor } = createSupervisor(t)
  await serve(supervisor, createSnapshot(1, 2))
  // Worker 1 begins to end here. Nothing waits for that: it is asked for again.
  const two = createSnapshot(2, 1)
  await supervisor.prepare(two)
  supervisor.commit(two)
  await supervisor.prepare(createSnapshot(3, 2))
  const worker = supervisor.handles[1]!
  // It has not seen the current snapshot, which does not have it, and waits for the next one.
  await waitUntil('worker 1 goes on turning', () => {
    const { cells } = worker
    return Atomics.load(cells, WorkerCell.generation) === 0 && Atomics.load(cells, WorkerCell.heartbeat) >= 2
  })
  assert.ok(worker.restarts <= 1, `it was started ${worker.restarts} times`)
  supervisor.commit(createSnapshot(3, 2))
  await supervisor.switched(3)
  assert.equal(supervisor.running.length, 2)
})

test('Supervisor.discard() ends the workers that were started for the snapshot', async (t) => {
  const { supervisor } = createSupervisor(t)
  await serve(supervisor, createSnapshot(1, 1))
  const two = createSnapshot(2, 3)
  await supervisor.prepare(two)
  assert.equal(supervisor.running.length, 3)
  supervisor.discard(two)
  await waitUntil('they are gone', () => supervisor.running.length === 1)
  await serve(supervisor, createSnapshot(3, 2))
  assert.deepEqual(
    supervisor.running.map(({ id }) => id),
    [0, 1],
  )
})

// A thread that starts after an upgrade loads the code of another version than that of main, whose memory it shares.
test('Supervisor starts no worker once the program on disk is another, and those that run go on', async (t) => {
  const made = createSupervisor(t)
  const { supervisor, crashes, told } = made
  await serve(supervisor, createSnapshot(1, 2))
  made.whyNot = 'restart it'
  const more = createSnapshot(2, 3)
  await assert.rejects(supervisor.prepare(more), { code: 'MCS_WORKER_FAILED', message: /worker 2: restart it$/ })
  supervisor.discard(more)
  const same = createSnapshot(3, 2)
  await serve(supervisor, same)
  breakWorker(supervisor.handles[1]!)
  await waitUntil('worker 1 is gone', () => supervisor.running.length === 1)
  assert.deepEqual(crashes, [1])
  assert.deepEqual(told, ['1: restart it'])
  await serve(supervisor, createSnapshot(4, 1))
  breakWorker(supervisor.handles[0]!)
  await waitUntil('it gives up', () => told.length > 2)
  assert.deepEqual(told.slice(1), ['0: restart it', 'No worker is left'])
})

test('whyNoThread() tells of another version on disk, and of none', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  assert.equal(whyNoThread(), null)
  assert.equal(
    whyNoThread(() => '99.0.0'),
    `version 99.0.0 of mcs-lb is on disk, and ${version} runs; restart it`,
  )
  const gone = () => JSON.parse('') as string
  assert.match(whyNoThread(gone) ?? '', /^the program is no more on disk as it was \(.*\); restart/)
})

test('Supervisor.oldest() follows the workers', async (t) => {
  const { supervisor } = createSupervisor(t)
  assert.deepEqual(supervisor.oldest(), { generation: 0, epoch: 0 })
  await serve(supervisor, createSnapshot(4, 1))
  assert.deepEqual(supervisor.oldest(), { generation: 4, epoch: 4 })
  await serve(supervisor, createSnapshot(6, 1))
  assert.deepEqual(supervisor.oldest(), { generation: 6, epoch: 6 })
})

test('Supervisor.connectionsByGeneration() answers while a worker ends', async (t) => {
  const { supervisor } = createSupervisor(t)
  await serve(supervisor, createSnapshot(1, 2))
  const two = createSnapshot(2, 1)
  await supervisor.prepare(two)
  supervisor.commit(two)
  assert.deepEqual(await supervisor.connectionsByGeneration(), [])
})
