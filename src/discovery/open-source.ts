import type { DiscoveryConfig } from '../model/config.ts'
import { dnsSource } from './dns.ts'
import { fileSource } from './file.ts'
import { redisKeysSource } from './redis-keys.ts'
import { redisSortedSetSource } from './redis-sorted-set.ts'
import type { Source, SourceContext } from './source.ts'

/** @throws {McsError} where it can be seen at once that it leads nowhere. */
export function openSource(config: DiscoveryConfig, context: SourceContext): Source {
  switch (config.type) {
    case 'redis-keys':
      return redisKeysSource(config, context)
    case 'redis-sorted-set':
      return redisSortedSetSource(config, context)
    case 'dns':
      return dnsSource(config, context)
    case 'file':
      return fileSource(config, context)
  }
}

/** Whether members come one by one, as they beat; what a file or DNS shows is whole from the first read on. */
export function fillsUp({ type }: DiscoveryConfig): boolean {
  return type === 'redis-keys' || type === 'redis-sorted-set'
}

/** What its members are read from, however that is reached: as long as it is the same, what was believed still is. */
export function sourceOf(discovery: DiscoveryConfig): string {
  switch (discovery.type) {
    case 'redis-keys':
      return JSON.stringify([discovery.type, discovery.prefix])
    case 'redis-sorted-set':
      return JSON.stringify([discovery.type, discovery.key])
    case 'dns':
      return JSON.stringify([discovery.type, discovery.host])
    case 'file':
      return JSON.stringify([discovery.type, discovery.path])
  }
}
