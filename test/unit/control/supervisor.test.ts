import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { Supervisor } from '#src/control/supervisor.js'
import { WorkerHandle } from '#src/control/worker-handle.js'
import type { Snapshot } from '#src/model/snapshot.js'
import { WorkerCell } from '#src/shared/control-cells.js'
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

function createSupervisor(t: TestContext): { supervisor: Supervisor; crashes: number[] } {
  const crashes: number[] = []
  const events = { onCrash: (worker: number) => void crashes.push(worker), onGiveUp: () => {}, onFailing: () => {} }
  const shared = createSharedMemory()
  const supervisor = new Supervisor(shared.control, (id) => new WorkerHandle(id, shared), events)
  t.after(() => supervisor.stop())
  return { supervisor, crashes }
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
