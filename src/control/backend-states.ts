import { Checker, type CheckTarget } from '../health/checker.ts'
import type { ProbeResult } from '../health/probe.ts'
import { formatAddress } from '../model/address.ts'
import { CauseCode } from '../model/cause.ts'
import { BACKUP_PRIORITY, type ServerConfig, type UpstreamConfig } from '../model/config.ts'
import type { Membership } from '../model/snapshot.ts'
import type { Logger } from '../observe/logger.ts'
import type { BackendTable } from '../shared/backend-table.ts'
import { BackendDrains } from './backend-drains.ts'
import { backendKey } from './snapshot-builder.ts'
import {
  assess,
  type BackendHealth,
  configureUpstream,
  createUpstreamHealth,
  mayServe,
  stateOf,
  type UpstreamHealth,
} from './upstream-state.ts'

/** How often ramps advance and ejections are looked at. */
const TICK_MS = 100

/** An upstream that is served, and its backends: `servers` has those of the membership, in its order. */
export interface ServedUpstream {
  readonly config: UpstreamConfig
  readonly servers: readonly ServerConfig[]
  readonly membership: Membership
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
  readonly #drains: BackendDrains
  readonly #upstreams = new Map<string, UpstreamHealth>()
  #backends = new Map<string, BackendHealth>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: BackendStatesOptions) {
    this.#options = options
    this.#drains = new BackendDrains(options)
    this.#checker = new Checker({ onChange: (key, isUp, result) => this.#onCheck(key, isUp, result) })
  }

  /** Follows what is served now. To be called right after each commit and each change of members. */
  sync(served: readonly ServedUpstream[]): void {
    const previous = this.#backends
    const names = new Set(served.map(({ config }) => config.name))
    this.#backends = new Map()
    const targets = served.flatMap((upstream) => this.#syncUpstream(upstream, previous))
    for (const name of this.#upstreams.keys()) if (!names.has(name)) this.#upstreams.delete(name)
    for (const backend of previous.values()) if (!this.#backends.has(backend.key)) this.#onRemoved(backend)
    this.#checker.setTargets(targets)
    for (const { config } of served) this.#publish(this.#upstreams.get(config.name)!)
    this.#keepTicking()
  }

  /** Connections to the backend failed as often in a row as its upstream bears. */
  onFailing(row: number, id: number): void {
    const backend = [...this.#backends.values()].find((candidate) => candidate.row === row && candidate.id === id)
    if (backend === undefined || backend.isEjected) return
    const { upstream } = backend
    const total = upstream.groups.flatMap(({ backends }) => backends).filter(mayServe).length
    const verdict = upstream.ejections?.noteFailing(backend.key, performance.now(), total)
    if (verdict === 'spared') {
      const fields = { ...this.#describe(backend), maxShare: upstream.config.outlier?.maxShare }
      this.#options.log.warn('Not ejected: connections to it fail, but maxShare of the backends is reached', fields)
    }
    if (verdict !== 'ejected') return
    backend.isEjected = true
    this.#options.log.warn('A backend is ejected: connections to it failed', {
      ...this.#describe(backend),
      failures: upstream.config.outlier?.consecutiveFailures,
    })
    this.#publish(upstream)
    this.#keepTicking()
  }

  /** What the last check of a backend said; undefined where it is not checked, or was not yet. */
  lastCheck(upstream: string, address: string): ProbeResult | undefined {
    return this.#checker.state(backendKey(upstream, address))?.lastResult ?? undefined
  }

  /** When the ejection of a backend ends, monotonic ms; undefined where it is not ejected. */
  ejectionEndsAtMs(upstream: string, address: string): number | undefined {
    return this.#upstreams.get(upstream)?.ejections?.endsAtMs(backendKey(upstream, address))
  }

  close(): void {
    clearInterval(this.#timer)
    this.#checker.close()
  }

  #syncUpstream({ config, servers, membership }: ServedUpstream, previous: Map<string, BackendHealth>): CheckTarget[] {
    const isNew = !this.#upstreams.has(config.name)
    const upstream = this.#upstreams.get(config.name) ?? createUpstreamHealth(config)
    this.#upstreams.set(config.name, upstream)
    const { onUnhealthy, drainMs } = upstream.config.connections
    const isOtherWord = onUnhealthy !== config.connections.onUnhealthy || drainMs !== config.connections.drainMs
    configureUpstream(upstream, config)
    upstream.row = membership.upstream
    const backends = servers.map((server, position) => {
      const { name, row, id } = membership.backends[position]!
      const key = backendKey(config.name, name)
      const known = previous.get(key)
      const backend: BackendHealth = known ?? {
        key,
        name,
        row,
        id,
        upstream,
        operator: server.state,
        isDown: false,
        isEjected: false,
      }
      backend.upstream = upstream
      backend.operator = server.state
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
    const { health } = config
    if (health === null) return []
    return servers
      .filter((server) => server.state !== 'maintenance')
      .map(({ address }) => ({ key: backendKey(config.name, formatAddress(address)), address, config: health }))
  }

  /** A backend that an upstream starts with has its whole share; one that joins later is led to it. */
  #begin(backend: BackendHealth, isWithUpstream: boolean): void {
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
      log.warn('A backend is down', { ...this.#describe(backend), step, reason })
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
    this.#drains.begin(backend, onRemoved, drainMs, CauseCode.backendRemoved)
    backend.upstream.ejections?.forget(backend.key)
    backend.upstream.slowStart.stop(backend.key)
  }

  /** Writes the states of an upstream's backends where workers read them, and which groups are in panic. */
  #publish(upstream: UpstreamHealth): void {
    const { table, panics, log } = this.#options
    const inPanic = new Set<number>()
    let bits = 0
    let available = 0
    upstream.groups.forEach((group, index) => {
      for (const backend of group.backends) table.setState(backend.row, stateOf(backend))
      const assessment = assess(group, upstream.config.panicThreshold)
      available += assessment.available
      if (!assessment.inPanic) return
      bits |= 1 << index
      inPanic.add(group.priority)
    })
    Atomics.store(panics, upstream.row, bits)
    this.#logPanics(upstream, inPanic)
    if (available === 0 && this.#releaseAll(upstream)) return
    const fields = { upstream: upstream.name }
    if (available === 0 && upstream.hasAvailable) log.error('No backend is left', fields)
    if (available > 0 && !upstream.hasAvailable) log.info('Backends are available', { ...fields, available })
    upstream.hasAvailable = available > 0
    upstream.panics = inPanic
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

  /** By priority: the bit of a group may be another's after a change of members. */
  #logPanics({ name, panics: before }: UpstreamHealth, now: ReadonlySet<number>): void {
    const { log } = this.#options
    const fieldsOf = (priority: number) => ({
      upstream: name,
      priority: priority === BACKUP_PRIORITY ? 'backup' : priority,
    })
    for (const priority of now) {
      if (before.has(priority)) continue
      log.warn('Too few backends are healthy: connections go to all of them', fieldsOf(priority))
    }
    for (const priority of before) {
      if (!now.has(priority)) log.info('Enough backends are healthy again', fieldsOf(priority))
    }
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
