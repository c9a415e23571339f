import type { ClientTlsConfig, DiscoveryBase, DiscoveryConfig, HostPort, RedisConfig } from '../model/config.ts'
import type { ClientTlsDocument, DiscoveryDocument, RedisDocument } from './document.generated.ts'
import { milliseconds, pathOrWord, range, share } from './resolve-value.ts'
import { splitHostPort } from './text-form.ts'

const localRedis = 'redis://127.0.0.1:6379'

/** Turns the discovery of a valid document into its Config. */
export function resolveDiscovery(document: DiscoveryDocument, baseDirectory: string): DiscoveryConfig {
  const base = resolveBase(document)
  const redis = () => resolveRedis(document.redis, baseDirectory)
  switch (document.type) {
    case 'redis-keys':
      return { ...base, type: 'redis-keys', redis: redis(), prefix: document.prefix }
    case 'redis-sorted-set': {
      const { key, score, maxAge } = document
      return { ...base, type: 'redis-sorted-set', redis: redis(), key, score, maxAgeMs: milliseconds(maxAge) }
    }
    case 'dns': {
      const { record, resolvers = [] } = document
      return { ...base, type: 'dns', host: document.name ?? '', record, port: document.port ?? 0, resolvers }
    }
    case 'file':
      return { ...base, type: 'file', path: pathOrWord(document.path ?? '', baseDirectory) }
  }
}

function resolveBase(document: DiscoveryDocument): DiscoveryBase {
  return {
    intervalMs: milliseconds(document.interval),
    maxMembers: document.maxMembers,
    maxRemoval: share(document.maxRemoval),
    holdBackMs: milliseconds(document.holdBack),
    allow: { networks: document.allow.networks, ports: document.allow.ports.map(range) },
  }
}

/** Where nothing is said, the Redis of this machine. */
export function resolveRedis(document: RedisDocument | undefined, baseDirectory: string): RedisConfig {
  const { sentinel, cluster, tls } = document ?? {}
  return {
    url: document?.url ?? localRedis,
    sentinel:
      sentinel === undefined
        ? null
        : { master: sentinel.master, nodes: sentinel.nodes.map(hostPort), password: sentinel.password },
    cluster: cluster?.map(hostPort) ?? null,
    tls: tls === undefined ? { serverName: '', ca: 'system', verify: true } : resolveClientTls(tls, baseDirectory),
  }
}

export function resolveClientTls(document: ClientTlsDocument, baseDirectory: string): ClientTlsConfig {
  return {
    serverName: document.serverName,
    ca: pathOrWord(document.ca, baseDirectory),
    verify: document.verify,
  }
}

function hostPort(text: string): HostPort {
  return splitHostPort(text, () => 1) ?? { host: '', port: 0 }
}
