import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import { openDescriptors } from '#src/control/status.js'
import { ControlCell, WorkerCell } from '#src/shared/control-cells.js'
import { loopback, makeConfig, makeListener, makeServer, makeUpstream } from '../../helpers/config-maker.ts'
import { freePort } from '../../helpers/free-port.ts'
import {
  breakWorker,
  connectClient,
  createService,
  type InProcessService,
  startSilentBackend,
} from '../../helpers/in-process-service.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

interface Served extends InProcessService {
  readonly listen: number
  connect(count: number): Promise<Socket[]>
}

async function serve(t: TestContext, workers: number): Promise<Served> {
  const [listen, backend] = [await freePort(), await startSilentBackend(t)]
  const config = makeConfig({
    workers,
    listeners: [makeListener({ bind: [loopback(listen)] })],
    upstreams: [makeUpstream({ servers: [makeServer(backend)] })],
  })
  const made = createService(t, config)
  assert.equal((await made.service.reload('start')).outcome, 'serving')
  let connected = 0
  const connect = async (count: number) => {
    const clients: Socket[] = []
    for (let n = 0; n < count; n++) clients.push((await connectClient(t, listen)).resume())
    connected += count
    await waitUntil('all are served', async () => {
      const { connections, upstreams } = await made.service.status()
      return connections.total >= connected && upstreams[0]!.backends[0]!.active === connections.active
    })
    return clients
  }
  return Object.assign(made, { listen, connect })
}

const crashed = ({ logged }: InProcessService) => logged.filter((line) => line.startsWith('A worker threw')).length

test('a worker that throws costs its own connections, gives back what it held, and is replaced', async (t) => {
  const served = await serve(t, 2)
  const { service } = served
  const { supervisor, table, shared } = service.balancer
  const clients = await served.connect(40)
  const [first, second] = supervisor.handles
  assert.equal(first!.open + second!.open, 40)
  const kept = second!.open
  const ended = clients.map((client) => new Promise((resolve) => client.once('close', resolve).once('end', resolve)))
  breakWorker(first!)
  await waitUntil('it has crashed', () => crashed(served) === 1)
  let gone = 0
  for (const end of ended) void end.then(() => gone++)
  await waitUntil('its clients are gone', () => gone === 40 - kept)
  await waitUntil('another has taken its place', () => Atomics.load(first!.cells, WorkerCell.generation) === 1)
  const status = await service.status()
  assert.equal(status.connections.active, kept)
  assert.equal(status.listeners[0]!.active, kept)
  assert.equal(table.active(0), kept)
  assert.equal(Atomics.load(new Int32Array(shared.control), ControlCell.open), kept)
  assert.equal(status.connections.total, 40)
  assert.deepEqual(
    status.workers.map(({ restarts }) => restarts),
    [1, 0],
  )
  await served.connect(10)
  assert.equal(gone, 40 - kept, 'clients of the other worker stay')
})

test('workers that throw leave no descriptor behind', async (t) => {
  const served = await serve(t, 1)
  const { supervisor } = served.service.balancer
  const crashOnce = async (times: number) => {
    const clients = await served.connect(8)
    breakWorker(supervisor.handles[0]!)
    await waitUntil('it has crashed', () => crashed(served) === times)
    for (const client of clients) client.destroy()
    await waitUntil('it is replaced', async () => (await served.service.status()).workers.length === 1)
    await waitUntil('it serves', () => Atomics.load(supervisor.handles[0]!.cells, WorkerCell.generation) === 1)
  }
  await crashOnce(1)
  const before = openDescriptors()
  await crashOnce(2)
  await crashOnce(3)
  // The backend of this test closes its ends when it hears of them.
  await waitUntil(`no more than ${before} descriptors are open`, () => openDescriptors() <= before)
})

test('a reload while a worker is replaced is served by all workers', async (t) => {
  const served = await serve(t, 2)
  const { service } = served
  const { handles } = service.balancer.supervisor
  for (let round = 1; round <= 3; round++) {
    breakWorker(handles[round % 2]!)
    const before = await served.file
    served.file = { ...before, limits: { ...before.limits, connections: 100 + round } }
    const result = await service.reload('admin')
    assert.equal(result.outcome, 'serving')
    await waitUntil('the worker has crashed', () => crashed(served) === round)
    await waitUntil('both serve the new generation', () =>
      handles.every(({ cells }) => Atomics.load(cells, WorkerCell.generation) === result.generation),
    )
    await served.connect(4)
  }
})

test('the process gives up after five crashes within a minute', async (t) => {
  const served = await serve(t, 1)
  const handle = served.service.balancer.supervisor.handles[0]!
  for (let times = 1; times <= 5; times++) {
    assert.equal(served.logged.includes('gave up'), false)
    await waitUntil('it serves', () => Atomics.load(handle.cells, WorkerCell.generation) === 1)
    breakWorker(handle)
    await waitUntil('it has crashed', () => crashed(served) === times)
  }
  assert.ok(served.logged.includes('gave up'))
})
