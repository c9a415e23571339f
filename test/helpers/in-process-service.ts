import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { ServingService } from '#src/control/serving-service.js'
import type { WorkerHandle } from '#src/control/worker-handle.js'
import { Libc } from '#src/kernel/libc.js'
import { declare } from '#src/kernel/library.js'
import { createEvent } from '#src/kernel/process.js'
import type { Config } from '#src/model/config.js'
import type { ProgramLogger } from '#src/observe/logger.js'
import { WorkerCell } from '#src/shared/control-cells.js'
import { Notifier } from '#src/systemd/notify.js'
import { atEnd } from './cleanup.ts'

/** Notes what it would have sent. */
class NotingNotifier extends Notifier {
  readonly sent: string[] = []

  constructor() {
    super(undefined, undefined, { debug: () => {} })
  }

  override ready(): void {
    this.sent.push('READY')
  }

  override reloading(): void {
    this.sent.push('RELOADING')
  }

  override stopping(): void {
    this.sent.push('STOPPING')
  }
}

export interface InProcessService {
  readonly service: ServingService
  /** What the next loads of the file give; a promise that is pending holds the reload back. */
  file: Config | Promise<Config>
  /** Messages of the log, at every level. */
  readonly logged: string[]
  /** Notifications to systemd, in order, without status lines. */
  readonly notified: string[]
}

/**
 * The running program's service with real workers, in the test's own process. Its threads end with the test. `onServing`
 * is what the service tells of what it serves.
 */
export function createService(
  t: TestContext,
  file: Config | Promise<Config>,
  onServing: (config: Config) => Promise<void> = async () => {},
): InProcessService {
  const logged: string[] = []
  const note = (message: string) => void logged.push(message)
  const log: ProgramLogger = {
    debug: note,
    info: note,
    warn: note,
    error: note,
    configure: () => {},
    flush: () => Promise.resolve(true),
    dropped: 0,
  }
  const notifier = new NotingNotifier()
  const service = new ServingService({
    version: '0.0.0',
    configFile: 'lb.yaml',
    load: async () => ({ config: await made.file, warnings: [] }),
    log,
    notifier,
    descriptorLimit: 1024,
    onGiveUp: () => note('gave up'),
    onServing,
  })
  atEnd(t, () => service.balancer.supervisor.stop())
  const made = { service, file, logged, notified: notifier.sent }
  return made
}

/** A backend that keeps every connection open until the client closes it. Returns its port. */
export async function startSilentBackend(t: TestContext): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {}).resume())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(t, () => server.close())
  return (server.address() as { port: number }).port
}

/** A client that is connected to a port of this machine. It is gone when the test ends. */
export async function connectClient(t: TestContext, port: number): Promise<Socket> {
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  client.on('error', () => {})
  atEnd(t, () => client.destroy())
  await once(client, 'connect')
  return client
}

const dup2 = declare('int dup2(int, int)')

/**
 * Has a worker throw: the number of its epoll descriptor stands for another file from now on, so that epoll_wait(2)
 * fails. The number is taken all the time, and nobody else's.
 */
export function breakWorker(handle: WorkerHandle): void {
  const other = createEvent()
  dup2(other, handle.cells[WorkerCell.epoll]! - 1)
  new Libc().close(other)
  handle.wake()
}
