import type { FailingReport } from '../dataplane/messages.ts'
import { Checker, type CheckTarget } from '../health/checker.ts'
import type { ProbeResult } from '../health/probe.ts'
import { formatAddress } from '../model/address.ts'
import { CauseCode } from '../model/cause.ts'
import type { ServerConfig, UpstreamConfig } from '../model/config.ts'
import type { Membership } from '../model/snapshot.ts'
import type { Logger } from '../observe/logger.ts'
import type { BackendTable } from '../shared/backend-table.ts'
import { BackendDrains } from './backend-drains.ts'
import type { BackendReport, RemovalReport } from './backend-report.ts'
import {
  failureText,
  leftFields,
  logAvailability,
  logEjected,
  logEnded,
  logPanics,
  logSpared,
  logTier,
} from './health-log.ts'
import { publishStates } from './publish-states.ts'
import { RemovedBackends } from './removed-backends.ts'
import { backendKey } from './snapshot-builder.ts'
import {
  type BackendHealth,
  configureBackend,
  configureUpstream,
  createBackendHealth,
  createUpstreamHealth,
  type Door,
  mayServe,
  type UpstreamHealth,
} from './upstream-state.ts'

/** How often ramps advance and ejections are looked at. */
const TICK_MS = 100

/** An upstream that is served, and its backends: `servers` has those of the membership, in its order. */
export interface ServedUpstream {
  readonly config: UpstreamConfig
  readonly servers: readonly ServerConfig[]
  readonly membership: Membership
  /** The listeners that lead to it. */
  readonly doors: readonly Door[]
}

export interface BackendStatesOptions {
  readonly table: BackendTable
  /** By upstream row: bit i says that health is ignored in group i. */
  readonly panics: Int32Array
  readonly log: Logger
  readonly endConnections: (rows: readonly number[], cause: number) => void
}

/**
 * Which backends may get connections: what the operator, the checks and the connections themselves say of each, put
 * together in the table that workers choose from. What is known of a backend outlives reloads and changes of members,
 * as long as its upstream has its address.
 */
export class BackendStates {
  readonly #options: BackendStatesOptions
  readonly #checker: Checker
  readonly #drains: BackendDrains<BackendHealth>
  readonly #upstreams = new Map<string, UpstreamHealth>()
  #backends = new Map<string, BackendHealth>()
  readonly #removed: RemovedBackends
  #timer: NodeJS.Timeout | undefined

  constructor(options: BackendStatesOptions) {
    this.#options = options
    this.#removed = new RemovedBackends(options.table)
    this.#drains = new BackendDrains({
      ...options,
      onEnded: (...ended) => logEnded(options.log, ...ended),
    })
    this.#checker = new Checker({ onChange: (key, isUp, result) => this.#onCheck(key, isUp, result) })
  }

  /** Follows what is served now. To be called right after each commit and each change of members. */
  sync(served: readonly ServedUpstream[]): void {
    const previous = this.#backends
    const names = new Set(served.map(({ config }) => config.name))
    this.#backends = new Map()
    const targets = served.flatMap((upstream) => this.#syncUpstream(upstream, previous))
    for (const name of this.#upstreams.keys()) if (!names.has(name)) this.#upstreams.delete(name)
    this.#removed.prune()
    for (const backend of previous.values()) if (!this.#backends.has(backend.key)) this.#onRemoved(backend)
    this.#checker.setTargets(targets)
    for (const { config } of served) this.#publish(this.#upstreams.get(config.name)!)
    this.#keepTicking()
  }

  /** Connections to the backend failed as often in a row as its upstream bears. */
  onFailing(report: FailingReport): void {
    const { row, id } = report
    const backend = [...this.#backends.values()].find((candidate) => candidate.row === row && candidate.id === id)
    if (backend === undefined || backend.isEjected) return
    const { upstream } = backend
    const total = upstream.groups
      .flatMap(({ backends }) => backends)
      .filter((other) => other === backend || mayServe(other)).length
    const nowMs = performance.now()
    const verdict = upstream.ejections?.noteFailing(backend.key, nowMs, total)
    const failed = { ...this.#describe(backend), reason: failureText(report) }
    if (verdict === 'spared') logSpared(this.#options.log, upstream, failed, total)
    if (verdict !== 'ejected') return
    backend.isEjected = true
    backend.failure = failed.reason
    logEjected(this.#options.log, upstream, failed, (upstream.ejections?.endsAtMs(backend.key) ?? nowMs) - nowMs)
    this.#publish(upstream)
    this.#keepTicking()
  }

  /** What is known of a backend; undefined for one that is no member of its upstream. */
  report(upstream: string, address: string): BackendReport | undefined {
    const key = backendKey(upstream, address)
    const backend = this.#backends.get(key)
    if (backend === undefined) return undefined
    const { sinceMs, checkedAt, failure, row } = backend
    return {
      sinceMs,
      lastCheck: this.#checker.state(key)?.lastResult ?? undefined,
      checkedAt,
      ejectionEndsAtMs: backend.upstream.ejections?.endsAtMs(key),
      failure,
      slowStartEndsAtMs: backend.upstream.slowStart.endsAtMs(key),
      drainEndsAtMs: this.#drains.endsAtMs(row),
    }
  }

  /** What is known of a backend that was removed, and of which connections are left. */
  removal(row: number): RemovalReport {
    return { sinceMs: this.#removed.sinceMs(row), drainEndsAtMs: this.#drains.endsAtMs(row) }
  }

  /** Priorities of an upstream in which health is ignored. */
  panicsOf(upstream: string): readonly number[] {
    return [...(this.#upstreams.get(upstream)?.panics ?? [])]
  }

  close(): void {
    clearInterval(this.#timer)
    this.#checker.close()
  }

  #syncUpstream(
    { config, servers, membership, doors }: ServedUpstream,
    previous: Map<string, BackendHealth>,
  ): CheckTarget[] {
    const isNew = !this.#upstreams.has(config.name)
    const upstream = this.#upstreams.get(config.name) ?? createUpstreamHealth(config)
    this.#upstreams.set(config.name, upstream)
    const { onUnhealthy, drainMs } = upstream.config.connections
    const isOtherWord = onUnhealthy !== config.connections.onUnhealthy || drainMs !== config.connections.drainMs
    configureUpstream(upstream, config)
    upstream.row = membership.upstream
    upstream.doors = doors
    const backends = servers.map((server, position) => {
      const { name, row, id } = membership.backends[position]!
      const key = backendKey(config.name, name)
      const known = previous.get(key)
      const backend = known ?? createBackendHealth({ key, name, row, id }, upstream)
      configureBackend(backend, upstream, server)
      if (backend.isDown && (config.health === null || server.state === 'maintenance')) this.#forgetDown(backend)
      backend.isEjected = upstream.ejections?.isEjected(key) === true
      this.#backends.set(key, backend)
      if (known === undefined) this.#begin(backend, isNew)
      else if (isOtherWord && backend.isDown) this.#drainDown(backend)
      return backend
    })
    upstream.groups = membership.groups.map(({ positions }) => ({
      priority: servers[positions[0]!]!.priority,
      backends: Array.from(positions, (position) => backends[position]!),
    }))
    // A start tells itself that an upstream has nobody yet.
    if (isNew && servers.length === 0) upstream.hasAvailable = false
    const { health } = config
    if (health === null) return []
    return servers
      .filter((server) => server.state !== 'maintenance')
      .map(({ address }) => ({ key: backendKey(config.name, formatAddress(address)), address, config: health }))
  }

  /** A backend that an upstream starts with has its whole share; one that joins later is led to it. */
  #begin(backend: BackendHealth, isWithUpstream: boolean): void {
    this.#removed.forget(backend.row)
    this.#drains.cancel(backend.row)
    if (isWithUpstream) this.#options.table.setShare(backend.row, 1)
    else this.#lead(backend)
  }

  /** It is not checked any more. */
  #forgetDown(backend: BackendHealth): void {
    backend.isDown = false
    this.#drains.cancel(backend.row)
  }

  #onCheck(key: string, isUp: boolean, result: ProbeResult): void {
    const backend = this.#backends.get(key)
    if (backend === undefined || backend.isDown !== isUp) return
    const { log } = this.#options
    const { upstream } = backend
    backend.isDown = !isUp
    if (isUp) {
      this.#drains.cancel(backend.row)
      this.#lead(backend)
      log.info('A backend is up', this.#describe(backend))
    } else {
      upstream.slowStart.stop(key)
      const { step, reason } = result.ok ? { step: '', reason: '' } : result
      const checked = backend.checkedAt === '' ? {} : { checked: backend.checkedAt }
      log.warn('A backend is down', { ...this.#describe(backend), ...checked, step, reason, ...leftFields(upstream) })
      this.#drainDown(backend)
    }
    this.#publish(upstream)
    this.#keepTicking()
  }

  /** It went down just now, or what is to become of its connections has changed meanwhile. */
  #drainDown(backend: BackendHealth): void {
    const { onUnhealthy, drainMs } = backend.upstream.config.connections
    this.#drains.change(backend, onUnhealthy, drainMs, CauseCode.backendUnhealthy)
  }

  #onRemoved(backend: BackendHealth): void {
    const { onRemoved, drainMs } = backend.upstream.config.connections
    this.#removed.note(backend)
    this.#drains.begin(backend, onRemoved, drainMs, CauseCode.backendRemoved)
    backend.upstream.ejections?.forget(backend.key)
    backend.upstream.slowStart.stop(backend.key)
  }

  #publish(upstream: UpstreamHealth): void {
    const { table, panics, log } = this.#options
    const now = publishStates(upstream, table, panics)
    if (now.available === 0 && this.#releaseAll(upstream)) return
    logPanics(log, upstream, now.panics)
    logAvailability(log, upstream, now.available)
    logTier(log, upstream, now.tier)
    upstream.hasAvailable = now.available > 0
    upstream.panics = now.panics
    upstream.tier = now.tier ?? upstream.tier
  }

  /**
   * Nobody else is left: whoever sits out and might serve is tried again, unless all may sit out at once. Returns whether
   * there was one; then everything is published anew.
   */
  #releaseAll({ config, ejections, groups }: UpstreamHealth): boolean {
    const released = groups.flatMap(({ backends }) => backends).filter((one) => one.isEjected && mayServe(one))
    if (released.length === 0 || config.outlier?.maxShare === 1) return false
    for (const { key } of released) ejections?.release(key, performance.now())
    for (const { key } of released) this.#endEjection(key)
    return true
  }

  #tick(): void {
    const nowMs = performance.now()
    for (const upstream of this.#upstreams.values()) {
      for (const key of upstream.ejections?.due(nowMs) ?? []) this.#endEjection(key)
      this.#writeShares(upstream, nowMs)
    }
    this.#keepTicking()
  }

  #endEjection(key: string): void {
    const backend = this.#backends.get(key)
    if (backend === undefined || !backend.isEjected) return
    backend.isEjected = false
    this.#options.table.clearFailures(backend.row)
    this.#lead(backend)
    this.#options.log.info('A backend is tried again after its ejection', this.#describe(backend))
    this.#publish(backend.upstream)
  }

  /** Leads a backend that came up, or joined, to its share step by step. */
  #lead(backend: BackendHealth): void {
    const { upstream } = backend
    if (upstream.config.slowStartMs === 0) {
      // It may have been led when it went down, by a file that has slow start no more.
      this.#options.table.setShare(backend.row, 1)
      return
    }
    const nowMs = performance.now()
    upstream.slowStart.start(backend.key, nowMs)
    this.#writeShares(upstream, nowMs)
  }

  #writeShares(upstream: UpstreamHealth, nowMs: number): void {
    for (const [key, share] of upstream.slowStart.shares(nowMs)) {
      const backend = this.#backends.get(key)
      if (backend !== undefined) this.#options.table.setShare(backend.row, share)
    }
  }

  /** Ticks only while there is something to wait for. */
  #keepTicking(): void {
    const isNeeded = [...this.#upstreams.values()].some(
      ({ groups, slowStart }) =>
        slowStart.started().size > 0 || groups.some(({ backends }) => backends.some(({ isEjected }) => isEjected)),
    )
    if (!isNeeded) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS)
  }

  #describe({ upstream, name, row }: BackendHealth): { upstream: string; backend: string; connections: number } {
    return { upstream: upstream.name, backend: name, connections: this.#options.table.active(row) }
  }
}
