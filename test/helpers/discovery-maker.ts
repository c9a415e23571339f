import { type Discovery, type DiscoveryOptions, startDiscovery } from '#src/discovery/discovery.js'
import type { DiscoveryEvent } from '#src/discovery/discovery-log.js'
import { formatAddress } from '#src/model/address.js'
import type { DiscoveryBase, DiscoveryConfig, RedisConfig, ServerConfig } from '#src/model/config.js'
import { atEnd, type Cleanup } from './cleanup.ts'

export const discoveryBase: DiscoveryBase = {
  intervalMs: 100,
  maxMembers: 4096,
  maxRemoval: 0.5,
  holdBackMs: 60_000,
  allow: { networks: [], ports: [{ from: 1, to: 65_535 }] },
}

export function redisConfig(url: string, changes: Partial<RedisConfig> = {}): RedisConfig {
  return { url, sentinel: null, cluster: null, tls: { serverName: '', ca: 'system', verify: true }, ...changes }
}

/** A discovery that ends with the test, and what it told. */
export interface Followed {
  readonly discovery: Discovery
  readonly events: readonly DiscoveryEvent[]
  /** Every list that onMembers got, as addresses. */
  readonly lists: readonly string[][]
  addresses(): string[]
}

export function follow(t: Cleanup, config: DiscoveryConfig, options: Partial<DiscoveryOptions> = {}): Followed {
  const events: DiscoveryEvent[] = []
  const lists: string[][] = []
  const discovery = startDiscovery({
    upstream: 'chat',
    config,
    own: [],
    stateDirectory: 'none',
    onMembers: (members) => lists.push(members.map(addressOf)),
    onEvent: (event) => events.push(event),
    ...options,
  })
  discovery.serve(options.own ?? [])
  atEnd(t, () => discovery.close())
  return { discovery, events, lists, addresses: () => discovery.members.map(addressOf) }
}

function addressOf({ address }: ServerConfig): string {
  return formatAddress(address)
}
