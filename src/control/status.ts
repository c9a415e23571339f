import { readdirSync } from 'node:fs'
import type { ProbeResult } from '../health/probe.ts'
import { formatAddress } from '../model/address.ts'
import type { ServerConfig } from '../model/config.ts'
import { BackendState } from '../shared/backend-table.ts'
import { WorkerCell } from '../shared/control-cells.ts'
import { BackendCounter, ListenerCounter, type WorkerCounters } from '../shared/worker-counters.ts'
import { socketKey } from './listening-sockets.ts'
import type { LoadBalancer, Prepared } from './load-balancer.ts'
import type { BackendStateName, ServiceStatus } from './service.ts'
import type { Upstreams } from './upstreams.ts'

/** The parts of the status that the load balancer's tables tell. */
export type TableStatus = Pick<ServiceStatus, 'connections' | 'generations' | 'workers' | 'listeners' | 'upstreams'>

/** Reads the shared tables, and asks the workers for what only they know. */
export async function readTables(balancer: LoadBalancer, health: Upstreams): Promise<TableStatus> {
  const { handles } = balancer.supervisor
  const served = balancer.current!
  const sum = (read: (counters: WorkerCounters) => number) =>
    handles.reduce((total, handle) => total + read(handle.counters), 0)
  const generations = await balancer.supervisor.connectionsByGeneration()
  return {
    connections: {
      active: handles.reduce((total, handle) => total + handle.open, 0),
      total: balancer.accepted,
      limit: served.snapshot.connectionLimit,
    },
    generations,
    workers: describeWorkers(balancer, served),
    listeners: describeListeners(served, sum),
    upstreams: describeUpstreams(balancer, health, served, sum),
  }
}

type Sum = (read: (counters: WorkerCounters) => number) => number

function describeWorkers(balancer: LoadBalancer, served: Prepared): ServiceStatus['workers'] {
  return balancer.supervisor.running.map((handle) => ({
    id: handle.id,
    state: handle.id < served.snapshot.workers ? 'serving' : 'retiring',
    connections: handle.open,
    accepted: Atomics.load(handle.cells, WorkerCell.accepted) >>> 0,
    restarts: handle.restarts,
  }))
}

function describeListeners(served: Prepared, sum: Sum): ServiceStatus['listeners'] {
  return served.snapshot.listeners.map(({ name, row, upstream }, index) => ({
    name,
    addresses: served.config.listeners[index]!.bind.map((address, bind) =>
      formatAddress(served.sockets.get(socketKey(name, bind, address))!.address),
    ),
    upstream: served.snapshot.upstreams[upstream]!.name,
    active: sum((counters) => counters.listenerActive(row)),
    accepted: sum((counters) => counters.readListener(row, ListenerCounter.accepted)),
    bytesUp: sum((counters) => counters.readListener(row, ListenerCounter.bytesUp)),
    bytesDown: sum((counters) => counters.readListener(row, ListenerCounter.bytesDown)),
  }))
}

function describeUpstreams(
  balancer: LoadBalancer,
  health: Upstreams,
  served: Prepared,
  sum: Sum,
): ServiceStatus['upstreams'] {
  return served.snapshot.upstreams.map(({ name, membership }, index) => {
    const config = served.config.upstreams[index]!
    const servers = served.members.get(name) ?? config.servers
    const discovery = health.discoveryStatus(name)
    return {
      name,
      balance: config.balance,
      ...(discovery === undefined ? {} : { discovery }),
      backends: membership.backends.map((backend, position) => ({
        address: backend.name,
        state: describeState(balancer.table.state(backend.row)),
        ...describeServer(servers[position]!),
        ...describeCheck(health.lastCheck(name, backend.name)),
        active: balancer.table.active(backend.row),
        connections: sum((counters) => counters.readBackend(backend.row, BackendCounter.connections)),
        connectFailures: sum((counters) => counters.readBackend(backend.row, BackendCounter.connectFailures)),
        bytesUp: sum((counters) => counters.readBackend(backend.row, BackendCounter.bytesUp)),
        bytesDown: sum((counters) => counters.readBackend(backend.row, BackendCounter.bytesDown)),
      })),
    }
  })
}

function describeServer({ weight, priority, zone }: ServerConfig): { weight: number; priority: number; zone?: string } {
  return zone === '' ? { weight, priority } : { weight, priority, zone }
}

/** The weightiest reason why a backend gets no new connection, or `up`. */
function describeState(state: number): BackendStateName {
  if ((state & BackendState.maintenance) !== 0) return 'maintenance'
  if ((state & BackendState.draining) !== 0) return 'drain'
  if ((state & BackendState.down) !== 0) return 'down'
  return (state & BackendState.ejected) === 0 ? 'up' : 'ejected'
}

function describeCheck(result: ProbeResult | undefined): { check?: string } {
  if (result === undefined) return {}
  return { check: result.ok ? 'passed' : `${result.step}: ${result.reason}` }
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
