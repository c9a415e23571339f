import { resolve } from 'node:path'
import { isatty } from 'node:tty'
import { type AdminServer, startAdmin } from '../admin/server.ts'
import { loadConfig } from '../config/load.ts'
import { digestOf, watchConfig } from '../config/watch.ts'
import { raiseDescriptorLimit } from '../kernel/process.ts'
import type { Config } from '../model/config.ts'
import { createLogger, type ProgramLogger } from '../observe/logger.ts'
import { Notifier } from '../systemd/notify.ts'
import { logConsole } from './console-log.ts'
import { connectionCapacity, neededDescriptors } from './descriptors.ts'
import { OrderlyExit } from './orderly-exit.ts'
import { programVersion } from './program-version.ts'
import { watchRoom } from './room-watch.ts'
import { ServingService } from './serving-service.ts'
import { Signals } from './signals.ts'
import { startWatchdog } from './watchdog.ts'

const EXIT_RUNTIME_FAILURE = 1
const EXIT_BAD_CONFIG = 78

/** Serves the file in the foreground until a signal ends it. The process ends by itself; this never resolves. */
export async function runService(options: { configFile: string }): Promise<never> {
  // Absolute, so that the log and the status name it for readers who do not know the process's directory.
  const configFile = resolve(options.configFile)
  const exit = new OrderlyExit()
  // Until the file can be read: for the one who looks on, or for the program that collects logs.
  const log = createLogger({ level: 'info', format: isatty(process.stderr.fd) ? 'text' : 'json' })
  exit.register({ flush: () => log.flush() })
  installLastResort(exit, log)
  logConsole(log)
  const signals = new Signals(() => exit.exitAtOnce(EXIT_RUNTIME_FAILURE))
  const notifier = Notifier.fromEnvironment(log)
  const descriptorLimit = raiseDescriptorLimit()
  const followers = new Followers(log)
  const service = new ServingService({
    version: programVersion,
    configFile,
    load: async (file) => {
      followers.noteLoad(file)
      const loaded = await loadConfig(file)
      // What fails from here on in a start is logged as the file asks for; a reload asks for it once it is served.
      if (service.config === undefined) log.configure(loaded.config.log)
      return loaded
    },
    log,
    notifier,
    descriptorLimit,
    onGiveUp: (reason) => {
      log.error(`${reason}; giving up`)
      exit.exit(EXIT_RUNTIME_FAILURE)
    },
    onServing: (config) => {
      log.configure(config.log)
      return followers.follow(config, service)
    },
  })
  exit.register({ stopThreads: () => service.balancer.supervisor.stop() })
  await start(service, exit)
  logCapacity(log, service, descriptorLimit)
  startWatchdog(service.balancer.supervisor, notifier)
  watchRoom(service.balancer, log)
  signals.attach(
    {
      reload: () => void service.reload('signal'),
      reopenLogs: () => void service.reopenLogs().catch((error: unknown) => log.error('Cannot reopen logs', { error })),
      shutdown: (signal) => void shutdown(service, followers, exit, log, signal),
    },
    log,
  )
  return new Promise(() => {})
}

/** Serves the first configuration, or ends the process: 78 where the file is at fault, 1 where the machine is. */
async function start(service: ServingService, exit: OrderlyExit): Promise<void> {
  const result = await service.reload('start')
  if (result.outcome !== 'refused') return
  const fileIsBad = result.errors.every(
    (fault) => fault.code.startsWith('MCS_CONFIG_') || fault.code === 'MCS_LIMIT_EXCEEDED',
  )
  exit.exit(fileIsBad ? EXIT_BAD_CONFIG : EXIT_RUNTIME_FAILURE)
  await new Promise(() => {})
}

async function shutdown(
  service: ServingService,
  followers: Followers,
  exit: OrderlyExit,
  log: ProgramLogger,
  signal: NodeJS.Signals,
): Promise<void> {
  log.info('Stopping', { signal })
  const left = await service.shutdown(service.config?.shutdown.drainMs ?? 0)
  await followers.close()
  log.info('Stopped', { signal, endedByDrain: left })
  exit.exit(0)
}

/** The control plane's own parts that follow the configuration: the admin socket and the watcher. */
class Followers {
  readonly #log: ProgramLogger
  /** The admin socket that answers; the file may ask for another, which could not be opened. */
  #admin: { socket: string; server: AdminServer | null } = { socket: 'none', server: null }
  #watcher: { debounceMs: number; close(): Promise<void> } | null = null
  /** Digest of the file as it was when it was last loaded. */
  #loaded: string | undefined

  constructor(log: ProgramLogger) {
    this.#log = log
  }

  /** The file is about to be read: a change from here on is news to a watch that begins later. */
  noteLoad(configFile: string): void {
    this.#loaded = digestOf(configFile)
  }

  async follow(config: Config, service: ServingService): Promise<void> {
    await this.#followAdmin(config, service)
    await this.#followWatch(config, service)
  }

  async close(): Promise<void> {
    await this.#admin.server?.close()
    await this.#watcher?.close()
  }

  async #followAdmin({ admin }: Config, service: ServingService): Promise<void> {
    const { socket: earlier, server: previous } = this.#admin
    if (admin.socket === earlier && (previous === null || (await previous.hasFile()))) return
    try {
      const server =
        admin.socket === 'none' ? null : await startAdmin({ socket: admin.socket, service, log: this.#log })
      this.#admin = { socket: admin.socket, server }
      // An admin request may be what led here, and its answer is on the way.
      void previous?.close()
    } catch (error) {
      // The next reload tries again, also one that finds nothing new in the file.
      if (previous === null) this.#log.error('Goes on without an admin socket', { error })
      else this.#log.error('Goes on with the earlier admin socket', { socket: earlier, error })
    }
  }

  async #followWatch({ reload }: Config, service: ServingService): Promise<void> {
    if (this.#watcher !== null && reload.watch && this.#watcher.debounceMs === reload.debounceMs) return
    await this.#watcher?.close()
    this.#watcher = null
    if (!reload.watch) return
    const onGone = () => {
      this.#log.warn(`${service.configFile} is gone; generation ${service.generation} goes on serving`)
    }
    const watcher = watchConfig(
      service.configFile,
      { debounceMs: reload.debounceMs, served: this.#loaded, onGone },
      () => void service.reload('file'),
    )
    this.#watcher = { debounceMs: reload.debounceMs, close: () => watcher.close() }
  }
}

/** A fault in main must not leave workers serving on their own: it is logged, and the process ends with 1. */
function installLastResort(exit: OrderlyExit, log: ProgramLogger): void {
  const onFault = (error: unknown) => {
    log.error('A fault in the control plane; ending', { error })
    exit.exit(EXIT_RUNTIME_FAILURE)
  }
  process.on('uncaughtException', onFault)
  process.on('unhandledRejection', onFault)
}

function logCapacity(log: ProgramLogger, service: ServingService, descriptorLimit: number): void {
  const config = service.config!
  const capacity = connectionCapacity(descriptorLimit, config)
  const asked = config.limits.connections
  log.info('Ready', {
    descriptorLimit,
    connectionCapacity: Math.min(capacity, asked),
    workers: config.workers,
  })
  if (capacity >= asked) return
  const needed = neededDescriptors(asked, config)
  // systemd.exec(5): every process of a unit has the variable, and others have no LimitNOFILE to raise.
  const remedy =
    process.env.INVOCATION_ID === undefined
      ? `run "ulimit -n ${needed}" before the start`
      : `raise LimitNOFILE to ${needed}`
  log.warn(`limits.connections is ${asked}, but ${descriptorLimit} file descriptors allow ${capacity}; ${remedy}`)
}
