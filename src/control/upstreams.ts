import type { FailingReport } from '../dataplane/messages.ts'
import type { Config, ServerConfig, UpstreamConfig } from '../model/config.ts'
import type { Logger } from '../observe/logger.ts'
import { BackendStates, type ServedUpstream } from './backend-states.ts'
import { DiscoverySet } from './discovery-set.ts'
import type { LoadBalancer, Prepared } from './load-balancer.ts'
import { compareMembers } from './member-changes.ts'
import { hasPlace, type Placement, placeMembers, type Wish } from './member-places.ts'
import { type ReloadWarning, reloadWarnings, type Served } from './reload-warnings.ts'
import type { Members } from './snapshot-builder.ts'
import { StickyKeepers } from './sticky-keeper.ts'

/** How often believed backends without a place are looked at again. */
const CROWDED_RETRY_MS = 2000

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
  /** What served before: who is compared with it may have lost backends. */
  #previous: Served | null = null
  /** Upstreams that have believed backends without a place, and when that is looked at again. */
  readonly #crowded = new Set<string>()
  #crowdedTimer: NodeJS.Timeout | undefined

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
    this.#sticky = new StickyKeepers({ clients: () => balancer.clients, backends: balancer.rows.backends, log })
  }

  /** Makes ready what must be there before the first client: the sticky entries that were saved. */
  async beforeServing(next: Prepared): Promise<void> {
    await this.#sticky.follow(next)
  }

  /** Starts what a configuration has anew, and gives the backends of its upstreams. Then {@link commit} or {@link discard}. */
  async prepare(config: Config): Promise<Members> {
    this.#isPreparing = true
    const believed = await this.#discoveries.prepare(config)
    const wishes = config.upstreams.map(({ name, servers }) => wishOf(name, servers, believed.get(name)))
    const placements = placeMembers(wishes, this.#balancer.roomForBackends())
    return new Map(wishes.map(({ upstream }, i) => [upstream, placements[i]!.servers]))
  }

  /** The prepared configuration serves, after `previous`. Returns what there is to warn of. */
  commit(previous: Prepared | null): string[] {
    const { config, members, sockets } = this.#balancer.current!
    this.#discoveries.commit([...sockets.values()].map(({ address }) => address))
    if (previous !== null) this.#logReload(previous.members, members)
    // What a new source found between its first answer and now.
    for (const { name } of config.upstreams) this.#changed.add(name)
    this.#endPreparing()
    this.#syncStates()
    this.#previous = previous === null ? null : { config: previous.config, members: previous.members }
    const warnings = this.#warnings()
    for (const { message, fields } of warnings) this.#log.warn(message, fields)
    return warnings.map(({ text }) => text)
  }

  /** What there is to warn of now, of the configuration that serves. The log has it from {@link commit}. */
  warnings(): string[] {
    return this.#warnings().map(({ text }) => text)
  }

  /** The prepared configuration was refused. */
  discard(): void {
    this.#discoveries.discard()
    this.#endPreparing()
  }

  /** Connections to a backend failed as often in a row as its upstream bears. */
  onFailing(report: FailingReport): void {
    this.#states.onFailing(report)
  }

  /** What checks and connections say of backends. */
  get health(): Pick<BackendStates, 'report' | 'removal' | 'panicsOf'> {
    return this.#states
  }

  stickyStatus(upstream: string): ReturnType<StickyKeepers['statusOf']> {
    return this.#sticky.statusOf(upstream)
  }

  discoveryStatus(upstream: string): ReturnType<DiscoverySet['statusOf']> {
    return this.#discoveries.statusOf(upstream)
  }

  /** Ends checks and discoveries: nothing new is dialled any more. */
  async stop(): Promise<void> {
    clearTimeout(this.#crowdedTimer)
    this.#states.close()
    await Promise.all([this.#discoveries.close(), this.#sticky.close()])
  }

  #warnings(): ReloadWarning[] {
    return reloadWarnings(this.#previous, this.#balancer.current!, {
      statusOf: (name) => this.#discoveries.statusOf(name),
      stickyStatusOf: (name) => this.#sticky.statusOf(name),
      clientCapacity: this.#balancer.clients.capacity,
    })
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
    if (config === undefined) {
      this.#crowded.delete(upstream)
      return
    }
    const members = this.#place(config)
    if (sameMembers(members, current!.members.get(upstream) ?? [])) return
    try {
      this.#balancer.updateMembers(upstream, members)
    } catch (error) {
      this.#log.error('Cannot take over what discovery found; the earlier backends stay', { upstream, error })
      return
    }
    this.#logChange(upstream, 'discovery', current!.members.get(upstream) ?? [], members)
    const { upstreams } = this.#balancer.current!.snapshot
    this.#sticky.followMembers(upstreams.find(({ name }) => name === upstream)!)
    this.#syncStates()
  }

  /** Those of the believed backends for whom there is a place; the others get one once there is. */
  #place(config: UpstreamConfig): readonly ServerConfig[] {
    const { name } = config
    const { servers, leftOut } = this.#placementOf(wishOf(name, config.servers, this.#discoveries.membersOf(config)))
    if (leftOut === 0) this.#crowded.delete(name)
    else {
      if (!this.#crowded.has(name)) {
        this.#log.warn('Not every discovered backend has a place', {
          upstream: name,
          backends: servers.length,
          leftOut,
        })
      }
      this.#crowded.add(name)
      this.#retryCrowded()
    }
    return servers
  }

  #placementOf(wish: Wish): Placement {
    const [placement] = placeMembers([wish], this.#balancer.rows.backends)
    if (placement!.leftOut === 0) return placement!
    // Looking for rows that nobody needs any more goes through all of them.
    return placeMembers([wish], this.#balancer.roomForBackends())[0]!
  }

  #retryCrowded(): void {
    this.#crowdedTimer ??= setTimeout(() => {
      this.#crowdedTimer = undefined
      if (!hasPlace(this.#balancer.roomForBackends())) this.#retryCrowded()
      else for (const upstream of [...this.#crowded]) this.#onMembers(upstream)
    }, CROWDED_RETRY_MS).unref()
  }

  #logReload(before: Members, after: Members): void {
    for (const upstream of new Set([...before.keys(), ...after.keys()])) {
      this.#logChange(upstream, 'reload', before.get(upstream) ?? [], after.get(upstream) ?? [])
    }
  }

  #logChange(
    upstream: string,
    trigger: 'reload' | 'discovery',
    before: readonly ServerConfig[],
    after: readonly ServerConfig[],
  ): void {
    const changes = compareMembers(before, after)
    if (changes !== null) this.#log.info('Backends changed', { upstream, trigger, backends: after.length, ...changes })
  }

  #syncStates(): void {
    const { config, members, snapshot } = this.#balancer.current!
    const served = config.upstreams.map((upstream, index): ServedUpstream => {
      const { membership } = snapshot.upstreams[index]!
      const servers = members.get(upstream.name) ?? upstream.servers
      const doors = config.listeners.filter((listener) => listener.upstream === upstream.name)
      return { config: upstream, servers, membership, doors }
    })
    this.#states.sync(served)
  }
}

function wishOf(upstream: string, file: readonly ServerConfig[], servers: readonly ServerConfig[] = file): Wish {
  return { upstream, servers, listed: file.length }
}

function sameMembers(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && JSON.stringify(a) === JSON.stringify(b)
}
