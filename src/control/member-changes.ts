import { formatAddress } from '../model/address.ts'
import type { ServerConfig } from '../model/config.ts'

/** Backends that a list names; what is above it is counted. */
const MAX_NAMED = 10

/** How the backends of an upstream differ from those before; a list without entries is absent. */
export interface MemberChanges {
  /** Addresses. */
  readonly joined?: readonly string[]
  /** How many more than {@link joined} names. */
  readonly moreJoined?: number
  readonly left?: readonly string[]
  readonly moreLeft?: number
  /** `10.0.0.1:9100: weight 1 → 2, state ready → drain`. */
  readonly changed?: readonly string[]
  readonly moreChanged?: number
}

/** Compares the backends by their addresses. Null where all are as they were; their order says nothing. */
export function compareMembers(before: readonly ServerConfig[], after: readonly ServerConfig[]): MemberChanges | null {
  const earlier = byAddress(before)
  const later = byAddress(after)
  const joined = [...later.keys()].filter((address) => !earlier.has(address))
  const left = [...earlier.keys()].filter((address) => !later.has(address))
  const changed = [...later].flatMap(([address, server]) => {
    const known = earlier.get(address)
    const options = known === undefined ? [] : changedOptions(known, server)
    return options.length === 0 ? [] : [`${address}: ${options.join(', ')}`]
  })
  if (joined.length + left.length + changed.length === 0) return null
  return {
    ...(joined.length > 0 && { joined: joined.slice(0, MAX_NAMED) }),
    ...(joined.length > MAX_NAMED && { moreJoined: joined.length - MAX_NAMED }),
    ...(left.length > 0 && { left: left.slice(0, MAX_NAMED) }),
    ...(left.length > MAX_NAMED && { moreLeft: left.length - MAX_NAMED }),
    ...(changed.length > 0 && { changed: changed.slice(0, MAX_NAMED) }),
    ...(changed.length > MAX_NAMED && { moreChanged: changed.length - MAX_NAMED }),
  }
}

function byAddress(servers: readonly ServerConfig[]): Map<string, ServerConfig> {
  return new Map(servers.map((server) => [formatAddress(server.address), server]))
}

function changedOptions(before: ServerConfig, after: ServerConfig): string[] {
  const earlier = describeOptions(before)
  return Object.entries(describeOptions(after)).flatMap(([name, value]) => {
    const was = earlier[name as keyof typeof earlier]
    return was === value ? [] : [`${name} ${was} → ${value}`]
  })
}

/** The options of a server as the file would say them. */
function describeOptions({ weight, priority, state, maxConnections, zone }: ServerConfig) {
  const limit = maxConnections === Number.POSITIVE_INFINITY ? 'unlimited' : `${maxConnections}`
  return {
    weight: `${weight}`,
    priority: `${priority}`,
    state,
    maxConnections: limit,
    zone: zone === '' ? 'none' : zone,
  }
}
