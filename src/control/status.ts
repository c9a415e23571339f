import { readdirSync } from 'node:fs'
import { formatAddress } from '../model/address.ts'
import { WorkerCell } from '../shared/control-cells.ts'
import { ListenerCounter } from '../shared/worker-counters.ts'
import { socketKey } from './listening-sockets.ts'
import type { LoadBalancer, Prepared } from './load-balancer.ts'
import type { ServiceStatus } from './service.ts'
import { describeUpstreams, type Sum } from './upstream-status.ts'
import type { Upstreams } from './upstreams.ts'

/** The parts of the status that the load balancer's tables tell. */
export type TableStatus = Pick<ServiceStatus, 'connections' | 'generations' | 'workers' | 'listeners' | 'upstreams'>

/** Reads the shared tables, and asks the workers for what only they know. */
export async function readTables(balancer: LoadBalancer, health: Upstreams): Promise<TableStatus> {
  const { handles } = balancer.supervisor
  const served = balancer.current!
  const sum: Sum = (read) => handles.reduce((total, handle) => total + read(handle.counters), 0)
  const generations = await balancer.supervisor.connectionsByGeneration()
  return {
    connections: {
      active: handles.reduce((total, handle) => total + handle.open, 0),
      total: balancer.accepted,
      limit: served.snapshot.connectionLimit,
    },
    generations,
    workers: describeWorkers(balancer, served),
    listeners: describeListeners(balancer, served, sum),
    upstreams: describeUpstreams(balancer, health, served, sum),
  }
}

function describeWorkers(balancer: LoadBalancer, served: Prepared): ServiceStatus['workers'] {
  return balancer.supervisor.running.map((handle) => ({
    id: handle.id,
    state: handle.id < served.snapshot.workers ? 'serving' : 'retiring',
    connections: handle.open,
    accepted: Atomics.load(handle.cells, WorkerCell.accepted) >>> 0,
    restarts: handle.restarts,
  }))
}

type ListenerStatus = ServiceStatus['listeners'][number]

/** The listeners that serve, then those that are closed but for their connections. */
function describeListeners({ rows }: LoadBalancer, served: Prepared, sum: Sum): ListenerStatus[] {
  const serving = served.snapshot.listeners.map(
    ({ name, row, upstream }, index): ListenerStatus => ({
      name,
      state: 'serving',
      addresses: served.config.listeners[index]!.bind.map((address, bind) =>
        formatAddress(served.sockets.get(socketKey(name, bind, address))!.address),
      ),
      upstream: served.snapshot.upstreams[upstream]!.name,
      ...countListener(row, sum),
    }),
  )
  const closed = rows.listeners
    .owners()
    .filter(({ key }) => !served.used.listeners.has(key))
    .map(
      ({ name, row }): ListenerStatus => ({
        name,
        state: 'closed',
        addresses: [],
        upstream: '',
        ...countListener(row, sum),
      }),
    )
    .filter(({ active }) => active > 0)
  return [...serving, ...closed]
}

function countListener(row: number, sum: Sum) {
  const read = (counter: number) => sum((counters) => counters.readListener(row, counter))
  return {
    active: sum((counters) => counters.listenerActive(row)),
    accepted: read(ListenerCounter.accepted),
    turnedAway: read(ListenerCounter.turnedAway),
    bytesUp: read(ListenerCounter.bytesUp),
    bytesDown: read(ListenerCounter.bytesDown),
  }
}

/** Descriptors that the process has open. */
export function openDescriptors(): number {
  try {
    // The listing itself has one open meanwhile.
    return readdirSync('/proc/self/fd').length - 1
  } catch {
    return -1
  }
}
