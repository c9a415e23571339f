import { performance } from 'node:perf_hooks'
import { sameConfig } from '../config/same-config.ts'
import { formatAddress } from '../model/address.ts'
import type { Config } from '../model/config.ts'
import { ConfigError, McsError } from '../model/errors.ts'
import type { ProgramLogger } from '../observe/logger.ts'
import type { Notifier } from '../systemd/notify.ts'
import { AccessLogging } from './access-logging.ts'
import { connectionCapacity } from './descriptors.ts'
import { LoadBalancer, type Prepared } from './load-balancer.ts'
import { faultText, logReload } from './reload-log.ts'
import type { LoadConfig, ReloadResult, ReloadTrigger, Service, ServiceStatus } from './service.ts'
import { openDescriptors, readTables } from './status.ts'
import type { SupervisorEvents } from './supervisor.ts'
import { Upstreams } from './upstreams.ts'
import { wallTimeIn } from './wall-time.ts'

/** Asked for again this often while connections drain; systemd stops waiting after what was asked for. */
const DRAIN_POLL_MS = 50
const EXTEND_USEC = 5_000_000

/** Faults of a refused file that the status tells. */
const MAX_KEPT_FAULTS = 10

export interface ServingServiceOptions {
  readonly version: string
  readonly configFile: string
  readonly load: LoadConfig
  readonly log: ProgramLogger
  readonly notifier: Notifier
  /** File descriptors that the process may open. */
  readonly descriptorLimit: number
  readonly onGiveUp: (reason: string) => void
  /**
   * Told after every commit, to follow settings of the control plane itself, and again by a reload that finds nothing
   * new, to try again what has failed.
   */
  readonly onServing: (config: Config) => Promise<void>
}

/** The running program: it serves one configuration after the other, one reload at a time, the latest file winning. */
export class ServingService implements Service {
  readonly balancer: LoadBalancer
  readonly #options: ServingServiceOptions
  readonly #access: AccessLogging
  readonly #upstreams: Upstreams
  readonly #startedAt = new Date()
  #state: ServiceStatus['state'] = 'starting'
  /** Of the last file that served. The balancer's own goes on: what serves while it drains has one too. */
  #generation = 0
  /** When it began to serve, ISO 8601; empty before the first. */
  #generationSince = ''
  #lastRefusal: ServiceStatus['lastRefusal']
  #drain: ServiceStatus['drain']
  #lastReload: ServiceStatus['lastReload']
  /** The reload that runs, and the one that waits for it: whoever asks meanwhile gets the latter's answer. */
  #running: Promise<ReloadResult> | null = null
  #waiting: Promise<ReloadResult> | null = null

  constructor(options: ServingServiceOptions) {
    this.#options = options
    this.balancer = new LoadBalancer(options.descriptorLimit, this.#supervisorEvents(), () => this.#access.drain())
    this.#access = new AccessLogging(
      options.log,
      () => this.balancer.rows,
      () => this.balancer.supervisor.handles.map((handle) => handle.records),
    )
    this.#upstreams = new Upstreams(this.balancer, options.log)
    this.#lastReload = { trigger: 'start', at: this.#startedAt.toISOString(), result: 'refused', durationMs: 0 }
  }

  get configFile(): string {
    return this.#options.configFile
  }

  /** The generation that the last file served under; 0 before the first. */
  get generation(): number {
    return this.#generation
  }

  get config(): Config | undefined {
    return this.balancer.current?.config
  }

  reload(trigger: ReloadTrigger): Promise<ReloadResult> {
    if (this.#running === null) {
      this.#running = this.#reloadOnce(trigger).finally(() => {
        this.#running = null
      })
      return this.#running
    }
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = null
      return this.reload(trigger)
    })
    return this.#waiting
  }

  async status(): Promise<ServiceStatus> {
    const { version, configFile, descriptorLimit } = this.#options
    const capacity = this.config === undefined ? 0 : connectionCapacity(descriptorLimit, this.config)
    return {
      version,
      pid: process.pid,
      startedAt: this.#startedAt.toISOString(),
      configFile,
      state: this.#state,
      ...(this.#drain === undefined ? {} : { drain: this.#drain }),
      generation: this.#generation,
      ...(this.#generationSince === '' ? {} : { generationSince: this.#generationSince }),
      ...(this.#lastRefusal === undefined ? {} : { lastRefusal: this.#lastRefusal }),
      lastReload: this.#lastReload,
      descriptors: { limit: descriptorLimit, open: openDescriptors(), capacity },
      ...(await readTables(this.balancer, this.#upstreams)),
      accessLog: { written: this.#access.written, dropped: this.#access.dropped },
    }
  }

  async reopenLogs(): Promise<void> {
    await this.#access.reopen()
    this.#options.log.info('Reopened the access log')
  }

  /**
   * Stops accepting, waits at most `drainMs` for connections to end, then ends those that are left. Returns how many
   * those were.
   */
  async shutdown(drainMs: number): Promise<number> {
    const { log, notifier } = this.#options
    this.#state = 'draining'
    const since = new Date().toISOString()
    this.#drain = { since, endsBy: wallTimeIn(drainMs) }
    notifier.stopping()
    await this.#running
    if (this.config === undefined) return 0
    await this.#upstreams.stop()
    await this.balancer
      .stopAccepting()
      .catch((error: unknown) => log.error('Cannot stop accepting in order', { error }))
    log.info('Stopped accepting; connections drain', { connections: this.#open(), drainMs })
    const endsAt = performance.now() + drainMs
    this.#drain = { since, endsBy: wallTimeIn(drainMs) }
    while (this.#open() > 0 && performance.now() < endsAt) {
      notifier.status(`Draining ${this.#open()} connections`)
      notifier.extendTimeout(EXTEND_USEC)
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS))
    }
    const left = this.#open()
    if (left > 0) await this.#abort()
    await this.#access.stop()
    return left
  }

  get #isDraining(): boolean {
    return this.#state === 'draining'
  }

  #open(): number {
    return this.balancer.supervisor.handles.reduce((sum, handle) => sum + handle.open, 0)
  }

  async #abort(): Promise<void> {
    this.balancer.supervisor.abort()
    const endsAt = performance.now() + 1000
    while (this.#open() > 0 && performance.now() < endsAt) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  async #reloadOnce(trigger: ReloadTrigger): Promise<ReloadResult> {
    const { notifier } = this.#options
    const startedAt = performance.now()
    // Once it stops it is never ready again, and systemd must not hear that it reloads.
    if (trigger !== 'start' && !this.#isDraining) notifier.reloading()
    const result = await this.#serveFile(startedAt).catch((error: unknown) => this.#refused(error))
    const wasRefused = this.#lastReload.result === 'refused'
    this.#lastReload = {
      trigger,
      at: new Date().toISOString(),
      result: result.outcome,
      durationMs: Math.round(performance.now() - startedAt),
    }
    this.#noteRefusal(result)
    const state = this.#isDraining ? 'draining' : 'serving'
    logReload(this.#options.log, result, { trigger, wasRefused, state: this.config === undefined ? 'nothing' : state })
    // After a refused reload it is as ready as before; after a refused start there is nothing to be ready.
    if (this.config !== undefined && !this.#isDraining) {
      notifier.ready()
      notifier.status(this.#statusLine(result))
    }
    return result
  }

  /** A refusal is remembered until another file serves: the same file as before may only be the one that was put back. */
  #noteRefusal(result: ReloadResult): void {
    if (result.outcome === 'serving') this.#lastRefusal = undefined
    if (result.outcome !== 'refused') return
    const { trigger, at } = this.#lastReload
    const errors = result.errors.slice(0, MAX_KEPT_FAULTS)
    this.#lastRefusal = { trigger, at, errors, errorCount: result.errors.length }
  }

  async #serveFile(startedAt: number): Promise<ReloadResult> {
    if (this.#isDraining) throw stopping()
    const { config, warnings: fileWarnings } = await this.#options.load(this.#options.configFile)
    const inFile = fileWarnings.map(faultText)
    if (this.#isDraining) throw stopping()
    const { current } = this.balancer
    // A reload is also how to get back a socket that somebody has deleted.
    const isServed = current !== null && sameConfig(config, current.config)
    if (isServed && !this.balancer.sockets.hasLostFiles) {
      await this.#tellServing(config)
      const warnings = [...inFile, ...this.#upstreams.warnings()]
      return { outcome: 'unchanged', generation: this.#generation, since: this.#generationSince, warnings }
    }
    const access = await this.#access.prepare(config.accessLog)
    const next = await this.#prepare(config).catch((error: unknown) => {
      access.undo()
      throw error
    })
    // Access records begin with the commit, so the log that takes them is there before it.
    await access.commit()
    await this.#upstreams.beforeServing(next)
    const previous = this.balancer.commit(next)
    this.#generation = next.snapshot.generation
    this.#generationSince = new Date().toISOString()
    for (const warning of inFile) this.#options.log.warn(warning)
    const warnings = [...inFile, ...this.#upstreams.commit(previous)]
    this.#logChosenPorts(next, previous)
    // Not where it is draining: a signal to stop may have come while this was prepared.
    if (this.#state === 'starting') this.#state = 'serving'
    await this.balancer.retire().catch((error: unknown) => this.#options.log.error('A worker is late', { error }))
    await this.#tellServing(config)
    return {
      outcome: 'serving',
      generation: next.snapshot.generation,
      durationMs: Math.round(performance.now() - startedAt),
      warnings,
    }
  }

  async #prepare(config: Config): Promise<Prepared> {
    try {
      return await this.balancer.prepare(config, await this.#upstreams.prepare(config))
    } catch (error) {
      this.#upstreams.discard()
      throw error
    }
  }

  /** Where the file has port 0, nobody could know otherwise where to connect to. */
  #logChosenPorts(next: Prepared, previous: Prepared | null): void {
    for (const { key, listener, address } of next.wishes) {
      if (address.family === 'unix' || address.port !== 0 || previous?.sockets.has(key)) continue
      const bound = formatAddress(next.sockets.get(key)!.address)
      this.#options.log.info('Listening on a port that the kernel chose', { listener, address: bound })
    }
  }

  /** The configuration serves from the commit on, whatever comes of the settings that follow it. */
  async #tellServing(config: Config): Promise<void> {
    try {
      await this.#options.onServing(config)
    } catch (error) {
      this.#options.log.error('The control plane cannot follow the configuration that serves', { error })
    }
  }

  #refused(error: unknown): ReloadResult {
    const generation = this.#generation
    if (error instanceof ConfigError) {
      return { outcome: 'refused', generation, errors: error.issues.map((issue) => ({ code: error.code, ...issue })) }
    }
    if (!(error instanceof McsError)) this.#options.log.error('A reload failed for an unknown reason', { error })
    const code = error instanceof McsError ? error.code : 'MCS_SYSTEM'
    const message = error instanceof Error ? error.message : String(error)
    return { outcome: 'refused', generation, errors: [{ code, message, hint: '' }] }
  }

  #statusLine(result: ReloadResult): string {
    const serving = `Serving generation ${this.#generation}`
    return result.outcome === 'refused' ? `${serving}; the last reload was refused` : serving
  }

  #supervisorEvents(): SupervisorEvents {
    return {
      onCrash: (worker, error, lostConnections, willRestart) =>
        this.#options.log.error('A worker threw; its connections are lost', {
          worker,
          code: 'MCS_WORKER_CRASHED',
          error,
          lostConnections,
          willRestart,
        }),
      onNotReplaced: (worker, reason) =>
        this.#options.log.error('Cannot replace a worker; the others go on', {
          worker,
          code: 'MCS_WORKER_FAILED',
          reason,
        }),
      onGiveUp: (reason) => this.#options.onGiveUp(reason),
      onFailing: (report) => this.#upstreams.onFailing(report),
    }
  }
}

function stopping(): McsError {
  return new McsError('MCS_SYSTEM', 'Cannot reload: the process is stopping', { source: 'system' })
}
