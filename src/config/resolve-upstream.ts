import {
  BACKUP_PRIORITY,
  type OutlierConfig,
  type ServerConfig,
  type StickyConfig,
  type UpstreamConfig,
} from '../model/config.ts'
import type { OutlierDocument, ServerDocument, StickyDocument, UpstreamDocument } from './document.generated.ts'
import { resolveDiscovery, resolveRedis } from './resolve-discovery.ts'
import { resolveHealth } from './resolve-health.ts'
import { address, milliseconds, pathOrWord, share } from './resolve-value.ts'

/** Turns an upstream of a valid document into its Config. */
export function resolveUpstream(name: string, document: UpstreamDocument, baseDirectory: string): UpstreamConfig {
  const { connections, discovery, health, outlier, sticky } = document
  return {
    name,
    balance: document.balance,
    sourcePrefix: { ...document.sourcePrefix },
    sticky: sticky === undefined ? null : resolveSticky(sticky, baseDirectory),
    servers: document.servers.map((row) => resolveServer(row, baseDirectory)),
    discovery: discovery === undefined ? null : resolveDiscovery(discovery, baseDirectory),
    connect: { timeoutMs: milliseconds(document.connect.timeout), attempts: document.connect.attempts },
    health: health === undefined ? null : resolveHealth(health, baseDirectory),
    outlier: outlier === undefined ? null : resolveOutlier(outlier),
    slowStartMs: milliseconds(document.slowStart),
    panicThreshold: share(document.panicThreshold),
    connections: {
      onRemoved: connections.onRemoved,
      onUnhealthy: connections.onUnhealthy,
      drainMs: milliseconds(connections.drain),
    },
  }
}

function resolveServer(document: ServerDocument, baseDirectory: string): ServerConfig {
  const { maxConnections } = document
  return {
    address: address(document.address, 'server', baseDirectory),
    weight: document.weight,
    maxConnections: maxConnections === 'unlimited' ? Number.POSITIVE_INFINITY : maxConnections,
    priority: document.backup ? BACKUP_PRIORITY : document.priority,
    state: document.state,
    zone: document.zone,
  }
}

function resolveSticky({ ttl, persist }: StickyDocument, baseDirectory: string): StickyConfig {
  const ttlMs = milliseconds(ttl)
  if (persist?.path !== undefined) return { ttlMs, persist: { path: pathOrWord(persist.path, baseDirectory) } }
  if (persist?.redis === undefined) return { ttlMs, persist: null }
  return { ttlMs, persist: { redis: resolveRedis(persist.redis, baseDirectory), key: persist.key } }
}

function resolveOutlier(document: OutlierDocument): OutlierConfig {
  return {
    consecutiveFailures: document.consecutiveFailures,
    earlyResetMs: milliseconds(document.earlyReset),
    ejectionMs: milliseconds(document.ejection),
    maxEjectionMs: milliseconds(document.maxEjection),
    maxShare: share(document.maxShare),
  }
}
