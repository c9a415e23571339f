import { BACKEND_HELD_BYTES, BACKEND_TABLE_BYTES } from './backend-table.ts'
import { CONTROL_CELLS, WORKER_CELLS } from './control-cells.ts'
import { MAX_CONNECTIONS_PER_WORKER, MAX_GROUPS, MAX_UPSTREAMS } from './limits.ts'
import { RECORD_RING_BYTES } from './record-ring.ts'
import { createWorkerCounterMemory, type WorkerCounterMemory } from './worker-counters.ts'

/** Memory that all threads share, of a size that is always the same. */
export interface SharedTables {
  /** control-cells.ts */
  readonly control: SharedArrayBuffer
  /** backend-table.ts: open connections by backend row. */
  readonly backends: SharedArrayBuffer
  /** MAX_GROUPS int32 an upstream row: where the turns of each of its groups stand. */
  readonly cursors: SharedArrayBuffer
  /** One int32 an upstream row: bit i says that group i is in a panic, so that health is ignored there. Main writes. */
  readonly panics: SharedArrayBuffer
}

/** Memory that all threads share. */
export interface SharedMemory extends SharedTables {
  /** client-table.ts: which backend each client had. */
  readonly clients: SharedArrayBuffer
}

/** Memory of one worker that main reads, and cleans up when the worker is gone. */
export interface WorkerMemory {
  /** control-cells.ts */
  readonly cells: SharedArrayBuffer
  readonly counters: WorkerCounterMemory
  /** backend-table.ts: the places this worker holds. */
  readonly held: SharedArrayBuffer
  /** record-ring.ts */
  readonly records: SharedArrayBuffer
  /** slots.ts: two int32 a connection, the descriptor plus one of the client's and of the backend's socket; 0: none. */
  readonly descriptors: SharedArrayBuffer
}

export function createSharedTables(): SharedTables {
  return {
    control: new SharedArrayBuffer(4 * CONTROL_CELLS),
    backends: new SharedArrayBuffer(BACKEND_TABLE_BYTES),
    cursors: new SharedArrayBuffer(4 * MAX_UPSTREAMS * MAX_GROUPS),
    panics: new SharedArrayBuffer(4 * MAX_UPSTREAMS),
  }
}

export function createWorkerMemory(maxConnections = MAX_CONNECTIONS_PER_WORKER): WorkerMemory {
  return {
    cells: new SharedArrayBuffer(4 * WORKER_CELLS),
    counters: createWorkerCounterMemory(),
    held: new SharedArrayBuffer(BACKEND_HELD_BYTES),
    records: new SharedArrayBuffer(RECORD_RING_BYTES),
    descriptors: new SharedArrayBuffer(4 * 2 * maxConnections),
  }
}
