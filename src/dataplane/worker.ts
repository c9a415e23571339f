import { randomInt } from 'node:crypto'
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { seededRandom } from '../balance/seeded-random.ts'
import { createEpollEvents, Libc } from '../kernel/libc.ts'
import type { SharedMemory, WorkerMemory } from '../shared/worker-memory.ts'
import type { WorkerOrder, WorkerReport } from './messages.ts'
import { Reactor } from './reactor.ts'
import { defaultTuning } from './tuning.ts'

/** What main hands to a worker thread. */
export interface WorkerData {
  readonly workerId: number
  readonly shared: SharedMemory
  readonly own: WorkerMemory
  readonly wakeFd: number
  readonly port: MessagePort
}

// The thread's entry. It never returns to Node's event loop: what it throws ends the thread, and main hears of it.
const { workerId, shared, own, wakeFd, port } = workerData as WorkerData
const kernel = new Libc()
const reactor = new Reactor({
  kernel,
  tuning: defaultTuning,
  workerId,
  shared,
  own,
  events: createEpollEvents(kernel, defaultTuning.eventsPerTurn),
  wakeFd,
  random: seededRandom(randomInt(2 ** 31)),
  port: {
    receive: () => receiveMessageOnPort(port)?.message as WorkerOrder | undefined,
    report: (report: WorkerReport) => port.postMessage(report),
  },
})
while (reactor.turn()) {
  // Each turn waits in epoll_wait.
}
process.exit(0)
