import assert from 'node:assert/strict'
import test from 'node:test'
import type { OpenSocket } from '#src/control/listening-sockets.js'
import { RowRegistry } from '#src/control/row-registry.js'
import { buildSnapshot, type Rows } from '#src/control/snapshot-builder.js'
import { AF_INET } from '#src/kernel/constants.js'
import { encodeSockaddr } from '#src/kernel/sockaddr.js'
import { formatAddress } from '#src/model/address.js'
import type { Config } from '#src/model/config.js'
import { McsError } from '#src/model/errors.js'
import { loopback, makeConfig, makeListener, makeServer, makeUpstream } from '../../helpers/config-maker.ts'

function createRows(maximum = 65_536): Rows {
  const registry = (what: string) => new RowRegistry(what, maximum)
  return { listeners: registry('listeners'), upstreams: registry('upstreams'), backends: registry('backends') }
}

function socketsOf(config: Config): Map<string, OpenSocket> {
  const addresses = config.listeners.flatMap((listener) => listener.bind)
  return new Map(
    addresses.map((address, i) => {
      const key = formatAddress(address)
      return [key, { id: i + 1, fd: i + 10, key, address, isListening: false, isRetiring: false, file: undefined }]
    }),
  )
}

function build(config: Config, rows = createRows(), generation = 1, connectionLimit = 1_000_000) {
  return buildSnapshot(config, new Map(), { generation, epoch: generation }, rows, socketsOf(config), connectionLimit)
}

function isLimitError(error: unknown): boolean {
  return error instanceof McsError && error.code === 'MCS_LIMIT_EXCEEDED' && error.source === 'config'
}

const config = makeConfig({
  workers: 2,
  listeners: [
    makeListener({ name: 'edge', bind: [loopback(1), loopback(2)], upstream: 'two' }),
    makeListener({ name: 'inner', bind: [loopback(3)], upstream: 'one' }),
  ],
  upstreams: [
    makeUpstream({ name: 'one', servers: [makeServer(9001), makeServer(9002, { weight: 3, maxConnections: 7 })] }),
    makeUpstream({ name: 'two', servers: [makeServer(9001)] }),
  ],
})

test('buildSnapshot() names what a configuration names, by position, row and socket', () => {
  const { snapshot } = build(config)
  assert.equal(snapshot.generation, 1)
  assert.equal(snapshot.workers, 2)
  assert.deepEqual(
    snapshot.listeners.map(({ name, upstream, sockets }) => ({ name, upstream, ids: sockets.map(({ id }) => id) })),
    [
      { name: 'edge', upstream: 1, ids: [1, 2] },
      { name: 'inner', upstream: 0, ids: [3] },
    ],
  )
  const [one, two] = snapshot.upstreams
  const { backends, groups } = one!.membership
  assert.deepEqual([...groups[0]!.schedule].sort(), [0, 1, 1, 1])
  assert.deepEqual(backends[1], {
    name: '127.0.0.1:9002',
    row: backends[1]!.row,
    id: backends[1]!.id,
    domain: AF_INET,
    sockaddr: encodeSockaddr(loopback(9002)),
    mayMeetItself: false,
    maxConnections: 7,
  })
  assert.notEqual(
    backends[0]!.row,
    two!.membership.backends[0]!.row,
    'the same address in two upstreams is two backends',
  )
})

test('buildSnapshot() gives the same configuration the same rows in the next generation', () => {
  const rows = createRows()
  const first = build(config, rows, 1)
  const second = build(config, rows, 2)
  const earlier = { generation: 1, epoch: 1 }
  const upstreams = second.snapshot.upstreams.map((one) => ({ ...one, membership: { ...one.membership, epoch: 1 } }))
  assert.deepEqual({ ...second.snapshot, ...earlier, upstreams }, first.snapshot)
  assert.deepEqual(second.used, first.used)
})

test('buildSnapshot() keeps the rows of what stays when the file is put in another order', () => {
  const rows = createRows()
  const rowsOf = (of: Config) => {
    const { listeners, upstreams } = build(of, rows).snapshot
    return new Map([
      ...listeners.map(({ name, row }) => [name, row] as const),
      ...upstreams.map(({ name, row }) => [name, row] as const),
      ...upstreams.flatMap(({ name, membership }) =>
        membership.backends.map((one) => [`${name} ${one.name}`, one.row] as const),
      ),
    ])
  }
  const reversed = makeConfig({ listeners: config.listeners.toReversed(), upstreams: config.upstreams.toReversed() })
  assert.deepEqual([...rowsOf(reversed)].sort(), [...rowsOf(config)].sort())
})

test('buildSnapshot() takes the lower of what the file and the descriptors allow', () => {
  assert.equal(build(config, createRows(), 1, 10).snapshot.connectionLimit, 10)
  assert.equal(build(config, createRows(), 1, 5000).snapshot.connectionLimit, 1000)
})

test('buildSnapshot() shares the memory for slow peers among the workers', () => {
  const { snapshot } = build(
    makeConfig({ workers: 3, limits: { connections: 1, pendingBytes: 100, stickyClients: 1024 } }),
  )
  assert.equal(snapshot.pendingBytesPerWorker, 33)
})

test('buildSnapshot() throws MCS_LIMIT_EXCEEDED where a round of an upstream would be too long', () => {
  // One weight of 255 among 256s: they share nothing.
  const servers = Array.from({ length: 4097 }, (_, i) => makeServer(i + 1, { weight: i === 0 ? 255 : 256 }))
  assert.throws(() => build(makeConfig({ upstreams: [makeUpstream({ servers })] })), isLimitError)
})

test('buildSnapshot() divides weights by what they share before it measures the round', () => {
  const servers = Array.from({ length: 4097 }, (_, i) => makeServer(i + 1, { weight: 256 }))
  const { snapshot } = build(makeConfig({ upstreams: [makeUpstream({ servers })] }))
  assert.equal(snapshot.upstreams[0]!.membership.groups[0]!.schedule.length, 4097)
})

test('buildSnapshot() throws MCS_LIMIT_EXCEEDED when there are more backends than rows', () => {
  assert.throws(() => build(config, createRows(2)), isLimitError)
})
