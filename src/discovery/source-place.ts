import { quote } from '../config/quote.ts'
import { formatHostPort } from '../model/address.ts'
import type { DiscoveryConfig, RedisConfig } from '../model/config.ts'
import { readTarget } from './redis-client.ts'

/** Where a discovery looks, as the log and the status name it: without user and password. Never throws. */
export function placeOf(config: DiscoveryConfig): string {
  switch (config.type) {
    case 'redis-keys':
      return `keys ${quote(`${config.prefix}*`)} at ${redisPlace(config.redis)}`
    case 'redis-sorted-set':
      return `sorted set ${quote(config.key)} at ${redisPlace(config.redis)}`
    case 'dns': {
      const asked = config.resolvers.length === 0 ? '' : ` at ${config.resolvers.join(', ')}`
      return `${recordNames[config.record]} records of ${config.host}${asked}`
    }
    case 'file':
      return `file ${JSON.stringify(config.path)}`
  }
}

/** Records by what the file calls them. */
export const recordNames = { address: 'A and AAAA', a: 'A', aaaa: 'AAAA', srv: 'SRV' } as const

function redisPlace(config: RedisConfig): string {
  const { sentinel, cluster } = config
  if (sentinel !== null)
    return `the master ${quote(sentinel.master)} of Sentinel ${sentinel.nodes.map(({ host, port }) => formatHostPort(host, port)).join(', ')}`
  try {
    const { host, port, database, isTls } = readTarget(config)
    const url = `${isTls ? 'rediss' : 'redis'}://${formatHostPort(host, port)}${database === 0 ? '' : `/${database}`}`
    return cluster === null ? url : `the cluster of ${url}`
  } catch {
    return 'a Redis whose URL cannot be read'
  }
}
