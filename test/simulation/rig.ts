import type { Reactor, ReactorOptions } from '#src/dataplane/reactor.js'
import type { Tuning } from '#src/dataplane/tuning.js'
import { AF_INET } from '#src/kernel/constants.js'
import type { EpollEvents } from '#src/kernel/kernel.js'
import { encodeSockaddr } from '#src/kernel/sockaddr.js'
import type { BalanceAlgorithm } from '#src/model/config.js'
import type { BackendSnapshot, ListenerSnapshot, Snapshot } from '#src/model/snapshot.js'
import { BACKEND_FIELDS, BACKEND_HELD_BYTES, BackendTable } from '#src/shared/backend-table.js'
import { ClientTable, MAIN_LOCKER } from '#src/shared/client-table.js'
import { RecordRing } from '#src/shared/record-ring.js'
import { createWorkerMemory, type SharedMemory, type WorkerMemory } from '#src/shared/worker-memory.js'
import { createSharedMemory } from '../helpers/shared-memory.ts'
import { MainThread } from './main-thread.ts'
import { createMembership } from './membership.ts'
import { BACKEND_PORT } from './network.ts'
import type { SimKernel } from './sim-kernel.ts'
import type { SimEvent, SimListener } from './sim-listener.ts'

/** The reactor's class, or a mutant of it. */
export type ReactorClass = new (options: ReactorOptions) => Reactor

/** Rows of the shared tables that a simulation uses. */
const ROWS = 16

/**
 * The memory around a reactor. It is as large as the real one, so it is laid out once and cleaned for each schedule;
 * each connection of `connections` has its place.
 */
export class Memory {
  readonly shared: SharedMemory = createSharedMemory()
  readonly own: WorkerMemory
  readonly records: RecordRing
  readonly #dirty: Int32Array[]

  constructor(connections: number) {
    this.own = createWorkerMemory(connections)
    this.records = new RecordRing(this.own.records)
    const { control, backends, cursors, panics } = this.shared
    const { cells, held, descriptors, counters } = this.own
    this.#dirty = [
      new Int32Array(control),
      new Int32Array(cells),
      new Int32Array(backends, 0, ROWS),
      new Int32Array(cursors, 0, ROWS),
      new Int32Array(held, 0, ROWS),
      new Int32Array(descriptors),
      new Int32Array(counters.listenerActive, 0, ROWS),
      new Int32Array(panics, 0, ROWS),
      ...Array.from(
        { length: BACKEND_FIELDS - 1 },
        (_, field) => new Int32Array(backends, (field + 1) * BACKEND_HELD_BYTES, ROWS),
      ),
    ]
  }

  clean(): void {
    for (const words of this.#dirty) words.fill(0)
    this.records.drain(() => {})
    new ClientTable(this.shared.clients, MAIN_LOCKER).forgetUpstream(0)
    const table = new BackendTable(this.shared.backends, this.own.held)
    for (let row = 0; row < ROWS; row++) table.assign(row, row + 1)
  }

  /** Whether every count of something open is zero. */
  get isIdle(): boolean {
    const [, , backends, , held, descriptors, listenerActive] = this.#dirty
    return [backends, held, descriptors, listenerActive].every((words) => words?.every((word) => word === 0))
  }
}

export interface Rig {
  readonly reactor: Reactor
  readonly main: MainThread
  readonly wakeup: SimEvent
}

/** Starts a reactor on the simulated kernel, serving `snapshot`. */
export function startReactor(
  Class: ReactorClass,
  kernel: SimKernel,
  memory: Memory,
  tuning: Tuning,
  snapshot: Snapshot,
): Rig {
  const wakeup = kernel.openEvent()
  const { acceptError, falseAgain, concurrency, descriptorLimit } = kernel.hostility
  const mayMiss = acceptError + falseAgain + concurrency > 0 || descriptorLimit < Number.POSITIVE_INFINITY
  const closeListener = (fd: number): void => {
    const lost = kernel.closeListener(fd)
    const { used, maximum } = reactor.core.slots
    if (lost > 0 && !mayMiss && !main.retired && used < Math.min(maximum, snapshot.connectionLimit))
      kernel.fail(`reload: ${lost} clients waited on a listener when it was closed`)
  }
  const main = new MainThread(memory.shared, memory.own, wakeup, snapshot, closeListener)
  const reactor = new Class({
    kernel,
    tuning,
    workerId: 0,
    shared: memory.shared,
    own: memory.own,
    events: createEvents(tuning.eventsPerTurn),
    wakeFd: wakeup.fd,
    port: main,
    random: () => kernel.random.below(1024) / 1024,
  })
  main.prepare(snapshot)
  main.commit()
  return { reactor, main, wakeup }
}

function createEvents(capacity: number): EpollEvents {
  return { words: new Int32Array(3 * capacity), address: 0, capacity, stride: 3, dataWord: 1 }
}

/** What of a snapshot differs from schedule to schedule. */
export interface Policy {
  readonly backends: number
  readonly maxConnections: number
  readonly connectionLimit: number
  readonly pendingBytes: number
  readonly onUnavailable: ListenerSnapshot['onUnavailable']
  readonly idleMs: number
  readonly halfClosedMs: number
  readonly maxDurationMs: number
  readonly connectMs: number
  readonly attempts: number
  readonly balance: BalanceAlgorithm
  readonly stickyMs: number
  readonly earlyResetMs: number
}

export function createSnapshot(listeners: readonly SimListener[], policy: Policy): Snapshot {
  const backends = Array.from({ length: policy.backends }, (_, row) => createBackend(row, policy.maxConnections))
  return {
    generation: 1,
    epoch: 1,
    workers: 1,
    connectionLimit: policy.connectionLimit,
    pendingBytesPerWorker: policy.pendingBytes,
    accessLog: true,
    listeners: listeners.map((listener, row) => ({
      name: listener.label,
      row,
      sockets: [{ id: row + 1, fd: listener.fd }],
      upstream: 0,
      onUnavailable: policy.onUnavailable,
      idleTimeoutMs: policy.idleMs,
      halfClosedTimeoutMs: policy.halfClosedMs,
      maxDurationMs: policy.maxDurationMs,
      keepAliveMs: 60_000,
    })),
    upstreams: [
      {
        name: 'backends',
        row: 0,
        balance: policy.balance,
        sourcePrefix: { ipv4: 32, ipv6: 64 },
        stickyTtlMs: policy.stickyMs,
        connectTimeoutMs: policy.connectMs,
        attempts: policy.attempts,
        failuresToTell: 2,
        earlyResetMs: policy.earlyResetMs,
        membership: createMembership(backends, 1),
      },
    ],
  }
}

function createBackend(row: number, maxConnections: number): BackendSnapshot {
  const port = BACKEND_PORT + row
  const sockaddr = encodeSockaddr({ family: 'ipv4', host: '127.0.0.1', port })
  return {
    name: `127.0.0.1:${port}`,
    row,
    id: row + 1,
    domain: AF_INET,
    sockaddr,
    mayMeetItself: false,
    maxConnections,
  }
}
