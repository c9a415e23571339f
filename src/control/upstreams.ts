import type { ProbeResult } from '../health/probe.ts'
import type { Config } from '../model/config.ts'
import type { Logger } from '../observe/logger.ts'
import { BackendStates, type ServedUpstream } from './backend-states.ts'
import { DiscoverySet } from './discovery-set.ts'
import type { LoadBalancer, Prepared } from './load-balancer.ts'
import type { Members } from './snapshot-builder.ts'
import { StickyKeepers } from './sticky-keeper.ts'

/** Who the backends of each upstream are, and which of them may get connections, while a configuration serves. */
export class Upstreams {
  readonly #balancer: LoadBalancer
  readonly #log: Logger
  readonly #discoveries: DiscoverySet
  readonly #states: BackendStates
  readonly #sticky: StickyKeepers
  /** Whether a reload is under way, and the upstreams whose members have changed meanwhile. */
  #isPreparing = false
  readonly #changed = new Set<string>()

  constructor(balancer: LoadBalancer, log: Logger) {
    this.#balancer = balancer
    this.#log = log
    this.#discoveries = new DiscoverySet({
      onMembers: (upstream) => this.#onMembers(upstream),
      onEvent: ({ level, message, fields }) => log[level](message, fields),
    })
    this.#states = new BackendStates({
      table: balancer.table,
      panics: new Int32Array(balancer.shared.panics),
      log,
      endConnections: (rows, cause) => balancer.endConnections(rows, cause),
    })
    const { table, rows } = balancer
    this.#sticky = new StickyKeepers({ clients: () => balancer.clients, table, backends: rows.backends, log })
  }

  /** Makes ready what must be there before the first client: the sticky entries that were saved. */
  async beforeServing(next: Prepared): Promise<void> {
    await this.#sticky.follow(next)
  }

  /** Starts what a configuration has anew, and gives the backends of its upstreams. Then {@link commit} or {@link discard}. */
  async prepare(config: Config): Promise<Members> {
    this.#isPreparing = true
    return await this.#discoveries.prepare(config)
  }

  /** The prepared configuration serves. */
  commit(): void {
    this.#discoveries.commit(this.#balancer.current!.config)
    // What a new source found between its first answer and now.
    for (const { name } of this.#balancer.current!.config.upstreams) this.#changed.add(name)
    this.#endPreparing()
    this.#syncStates()
  }

  /** The prepared configuration was refused. */
  discard(): void {
    this.#discoveries.discard()
    this.#endPreparing()
  }

  /** Connections to the backend in `row` failed as often in a row as its upstream bears. */
  onFailing(row: number, id: number): void {
    this.#states.onFailing(row, id)
  }

  lastCheck(upstream: string, address: string): ProbeResult | undefined {
    return this.#states.lastCheck(upstream, address)
  }

  discoveryStatus(upstream: string): ReturnType<DiscoverySet['statusOf']> {
    return this.#discoveries.statusOf(upstream)
  }

  /** Ends checks and discoveries: nothing new is dialled any more. */
  async stop(): Promise<void> {
    this.#states.close()
    await Promise.all([this.#discoveries.close(), this.#sticky.close()])
  }

  #endPreparing(): void {
    this.#isPreparing = false
    const changed = [...this.#changed]
    this.#changed.clear()
    for (const upstream of changed) this.#onMembers(upstream)
  }

  #onMembers(upstream: string): void {
    if (this.#isPreparing) {
      this.#changed.add(upstream)
      return
    }
    const { current } = this.#balancer
    const config = current?.config.upstreams.find(({ name }) => name === upstream)
    if (config === undefined) return
    const members = this.#discoveries.membersOf(config)
    if (members === current!.members.get(upstream) || sameMembers(members, current!.members.get(upstream) ?? [])) return
    try {
      this.#balancer.updateMembers(upstream, members)
    } catch (error) {
      this.#log.error('Cannot take over what discovery found; the earlier backends stay', { upstream, error })
      return
    }
    this.#log.info('Backends changed', { upstream, backends: members.length })
    const { upstreams } = this.#balancer.current!.snapshot
    this.#sticky.followMembers(upstreams.find(({ name }) => name === upstream)!)
    this.#syncStates()
  }

  #syncStates(): void {
    const { config, members, snapshot } = this.#balancer.current!
    const served = config.upstreams.map((upstream, index): ServedUpstream => {
      const { membership } = snapshot.upstreams[index]!
      return { config: upstream, servers: members.get(upstream.name) ?? upstream.servers, membership }
    })
    this.#states.sync(served)
  }
}

function sameMembers(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && JSON.stringify(a) === JSON.stringify(b)
}
