import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { Core } from '#src/dataplane/core.js'
import { Recorder } from '#src/dataplane/recorder.js'
import { ServingSnapshot } from '#src/dataplane/serving.js'
import { MAX_ATTEMPTS } from '#src/dataplane/slots.js'
import { defaultTuning } from '#src/dataplane/tuning.js'
import type { Kernel } from '#src/kernel/kernel.js'
import { encodeSockaddr } from '#src/kernel/sockaddr.js'
import { type AccessRecord, decodeAccessRecord, MAX_RECORDED_ATTEMPTS } from '#src/shared/access-record.js'
import { createWorkerMemory } from '#src/shared/worker-memory.js'
import { createSharedMemory } from '../../helpers/shared-memory.ts'

const NOW_MS = 10_000.5
const WALL_MS = 1_700_000_000_000
const shared = createSharedMemory()
const own = createWorkerMemory(16)
/** Of the kernel a recorder needs the clocks only. */
const kernel = {
  addressOf: () => 0,
  epollCreate: () => 3,
  nowMs: () => NOW_MS,
  wallClockMs: () => WALL_MS,
} as unknown as Kernel

function createCore(): Core {
  const core = new Core(kernel, defaultTuning, 5, shared, own, Math.random)
  const listener = {
    name: 'edge',
    row: 4095,
    sockets: [],
    upstream: 1,
    onUnavailable: 'reset',
    idleTimeoutMs: 1,
    halfClosedTimeoutMs: 1,
    maxDurationMs: 1,
    keepAliveMs: 1,
  } as const
  const upstream = {
    name: 'chat',
    balance: 'round-robin',
    sourcePrefix: { ipv4: 32, ipv6: 64 },
    stickyTtlMs: 0,
    connectTimeoutMs: 1,
    attempts: 8,
    failuresToTell: 0,
    earlyResetMs: 0,
    membership: { upstream: 0, epoch: 1, backends: [], groups: [] },
  } as const
  const snapshot = {
    generation: 2 ** 31 + 7,
    epoch: 1,
    workers: 1,
    connectionLimit: 1,
    pendingBytesPerWorker: 0,
    accessLog: true,
    listeners: [{ ...listener, row: 1 }, listener],
    upstreams: [
      { ...upstream, row: 8 },
      { ...upstream, row: 4094 },
    ],
  }
  core.currentIndex = core.servings.add(new ServingSnapshot(snapshot, core.balance))
  return core
}

function readOne(core: Core): AccessRecord {
  const records: AccessRecord[] = []
  core.records.drain((view, offset) => records.push(decodeAccessRecord(view, offset)))
  assert.equal(records.length, 1)
  return records[0]!
}

/** A connection of listener 1, whose client has the given address. */
function take(core: Core, client: Uint8Array): number {
  const { slots } = core
  slots.next()
  const connection = slots.take()
  slots.serving[connection] = core.currentIndex
  slots.listener[connection] = 1
  slots.backendRow[connection] = -1
  slots.attempts[connection] = 0
  slots.acceptedAt[connection] = NOW_MS - 1500.25
  slots.connectedAt[connection] = Number.NaN
  // As the acceptor keeps it: family and port, then 4 bytes of IPv4, or the 16 of IPv6 from behind the flow information.
  const bytes = new Uint8Array(slots.clientAddress.buffer, 20 * connection, 20)
  bytes.fill(0)
  bytes.set(client.subarray(0, 4))
  bytes.set(client.length === 28 ? client.subarray(8, 24) : client.subarray(4, 8), 4)
  return connection
}

const port = 0x1234
const someone = encodeSockaddr({ family: 'ipv4', host: '10.1.2.3', port })

test('Recorder writes what decodeAccessRecord() reads, for any connection', () => {
  const core = createCore()
  const { slots } = core
  const recorder = new Recorder(core)
  const row = fc.nat(65_535)
  const connection = fc.record({
    cause: fc.nat(17),
    errno: fc.nat(4095),
    backendRow: fc.option(row, { nil: -1 }),
    attempts: fc.array(fc.record({ backend: row, errno: fc.nat(4095) }, { noNullPrototype: true }), {
      maxLength: MAX_ATTEMPTS,
    }),
    up: fc.maxSafeNat(),
    down: fc.maxSafeNat(),
    connectMs: fc.double({ min: 0, max: 1500, noNaN: true }),
  })
  fc.assert(
    fc.property(connection, ({ cause, errno, backendRow, attempts, up, down, connectMs }) => {
      const c = take(core, someone)
      slots.backendRow[c] = backendRow
      if (backendRow >= 0) core.table.assign(backendRow, backendRow + 1)
      slots.connectedAt[c] = slots.acceptedAt[c]! + connectMs
      slots.attempts[c] = attempts.length
      attempts.forEach((attempt, i) => {
        slots.triedIds[c * MAX_ATTEMPTS + i] = attempt.backend
        if (i < MAX_RECORDED_ATTEMPTS) slots.triedErrnos[c * MAX_RECORDED_ATTEMPTS + i] = attempt.errno
      })
      slots.delivered[2 * c] = up
      slots.delivered[2 * c + 1] = down
      recorder.record(c, cause, errno)
      slots.free(c)
      const { connectMs: recordedConnectMs, ...rest } = readOne(core)
      assert.ok(Math.abs(recordedConnectMs - connectMs) < 1e-9)
      assert.deepEqual(rest, {
        acceptedAt: WALL_MS - 1500.25,
        totalMs: 1500.25,
        bytesUp: up,
        bytesDown: down,
        generation: 2 ** 31 + 7,
        listenerRow: 4095,
        upstreamRow: 4094,
        backend: backendRow < 0 ? -1 : backendRow + 1,
        cause,
        errno,
        worker: 5,
        attemptCount: attempts.length,
        attempts: attempts.slice(0, MAX_RECORDED_ATTEMPTS),
        clientFamily: 2,
        clientPort: port,
        clientAddress: Uint8Array.of(10, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
      })
    }),
  )
})

test('Recorder writes NaN for a connection that had no backend', () => {
  const core = createCore()
  new Recorder(core).record(take(core, someone), 14, 0)
  const { connectMs, backend, attempts } = readOne(core)
  assert.deepEqual([connectMs, backend, attempts], [Number.NaN, -1, []])
})

test('Recorder writes the port and address of an IPv6 client in network order', () => {
  const core = createCore()
  const client = encodeSockaddr({ family: 'ipv6', host: '2001:db8::ff', port: 65_280 })
  new Recorder(core).record(take(core, client), 0, 0)
  const { clientFamily, clientPort, clientAddress } = readOne(core)
  assert.deepEqual([clientFamily, clientPort], [10, 65_280])
  assert.deepEqual(clientAddress, new Uint8Array(client.subarray(8, 24)))
})

test('Recorder counts a record that finds the ring full, and leaves those that wait as they are', () => {
  const core = createCore()
  const recorder = new Recorder(core)
  const c = take(core, someone)
  const before = core.records.dropped()
  let records = 0
  while (core.records.dropped() === before) recorder.record(c, records++ % 18, 0)
  const causes: number[] = []
  core.records.drain((view, offset) => causes.push(decodeAccessRecord(view, offset).cause))
  assert.equal(causes.length, records - 1)
  assert.equal(
    core.records.drain(() => {}),
    0,
  )
  assert.ok(causes.every((cause, i) => cause === i % 18))
})
