import { resolveBy } from '../discovery/deadline.ts'
import { type Discovery, type KnownMembers, startDiscovery } from '../discovery/discovery.ts'
import type { DiscoveryEvent } from '../discovery/discovery-log.ts'
import { sourceOf } from '../discovery/open-source.ts'
import { formatAddress, type SocketAddress } from '../model/address.ts'
import type { Config, DiscoveryConfig, ServerConfig, UpstreamConfig } from '../model/config.ts'
import type { Members } from './snapshot-builder.ts'

/** How long a start or reload waits for the first answer of a new source; then it serves with what is known. */
const FIRST_ANSWER_MS = 1000

interface Running {
  readonly identity: string
  readonly source: string
  readonly discovery: Discovery
}

export interface DiscoverySetOptions {
  /** The believed members of an upstream have changed. */
  readonly onMembers: (upstream: string) => void
  readonly onEvent: (event: DiscoveryEvent) => void
}

/** The discoveries of the configuration that is served, and of the one that is prepared. */
export class DiscoverySet {
  readonly #options: DiscoverySetOptions
  /** By upstream. */
  #served = new Map<string, Running>()
  #prepared = new Map<string, Running>()

  constructor(options: DiscoverySetOptions) {
    this.#options = options
  }

  /** Starts the discoveries that a configuration has anew, and gives the backends of its upstreams. */
  async prepare(config: Config): Promise<Members> {
    this.#prepared = new Map()
    const fresh: Discovery[] = []
    for (const upstream of config.upstreams) {
      if (upstream.discovery === null) continue
      const identity = identityOf(config, upstream.discovery)
      const served = this.#served.get(upstream.name)
      if (served?.identity === identity) this.#prepared.set(upstream.name, served)
      else {
        const source = sourceOf(upstream.discovery)
        const discovery = this.#start(config, upstream, this.#knownTo(upstream, source))
        fresh.push(discovery)
        this.#prepared.set(upstream.name, { identity, source, discovery })
      }
    }
    await firstReads(fresh)
    return new Map(
      config.upstreams.map((upstream) => [
        upstream.name,
        merge(upstream, this.#prepared.get(upstream.name)?.discovery.members ?? []),
      ]),
    )
  }

  /** The prepared configuration serves, and listens on `own`: discoveries that it does not have end. */
  commit(own: readonly SocketAddress[]): void {
    this.#closeOf(this.#served, this.#prepared)
    this.#served = this.#prepared
    for (const { discovery } of this.#served.values()) discovery.serve(own)
  }

  /** The prepared configuration is given up. */
  discard(): void {
    this.#closeOf(this.#prepared, this.#served)
    this.#prepared = this.#served
  }

  /** The backends of an upstream that is served: those of the file, and those that were found. */
  membersOf(upstream: UpstreamConfig): readonly ServerConfig[] {
    return merge(upstream, this.#served.get(upstream.name)?.discovery.members ?? [])
  }

  statusOf(upstream: string): ReturnType<Discovery['status']> | undefined {
    return this.#served.get(upstream)?.discovery.status()
  }

  async close(): Promise<void> {
    const running = new Set([...this.#served.values(), ...this.#prepared.values()])
    await Promise.all([...running].map(({ discovery }) => discovery.close()))
  }

  /** What is believed already: by the same upstream, or by one of another name that reads the same. */
  #knownTo({ name }: UpstreamConfig, source: string): KnownMembers | undefined {
    const others = [...this.#served.values()]
    const earlier = this.#served.get(name) ?? others.find((other) => other.source === source)
    if (earlier === undefined || earlier.discovery.members.length === 0) return undefined
    return { members: earlier.discovery.members, isSameSource: earlier.source === source }
  }

  #start(config: Config, upstream: UpstreamConfig, known: KnownMembers | undefined): Discovery {
    const { name } = upstream
    const discovery = startDiscovery({
      upstream: name,
      config: upstream.discovery!,
      own: ownAddresses(config),
      stateDirectory: config.state.directory,
      known,
      onMembers: () => {
        // One that is only prepared is asked for its members when it serves.
        if (this.#served.get(name)?.discovery === discovery) this.#options.onMembers(name)
      },
      onEvent: (event) => this.#options.onEvent(event),
    })
    return discovery
  }

  #closeOf(running: Map<string, Running>, kept: Map<string, Running>): void {
    for (const [name, one] of running) if (kept.get(name) !== one) void one.discovery.close()
  }
}

/** The file's servers first; what was found is added unless it is one of them. */
function merge(upstream: UpstreamConfig, found: readonly ServerConfig[]): readonly ServerConfig[] {
  if (upstream.discovery === null) return upstream.servers
  const listed = new Set(upstream.servers.map(({ address }) => formatAddress(address)))
  return [...upstream.servers, ...found.filter(({ address }) => !listed.has(formatAddress(address)))]
}

function ownAddresses(config: Config): SocketAddress[] {
  return config.listeners.flatMap(({ bind }) => bind)
}

/** What a discovery is made of: it goes on as long as this is the same. */
function identityOf(config: Config, discovery: DiscoveryConfig): string {
  return JSON.stringify([discovery, config.state.directory])
}

async function firstReads(discoveries: readonly Discovery[]): Promise<void> {
  const reads = Promise.all(discoveries.map(({ firstRead }) => firstRead))
  await resolveBy(reads, FIRST_ANSWER_MS, () => [])
}
