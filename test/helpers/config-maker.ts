import type { SocketAddress } from '#src/model/address.js'
import type { Config, ListenerConfig, ServerConfig, UpstreamConfig } from '#src/model/config.js'

/** A small valid configuration without listeners, changed by `changes`. */
export function makeConfig(changes: Partial<Config> = {}): Config {
  return {
    workers: 1,
    log: { level: 'info', format: 'text' },
    accessLog: { to: 'none', format: 'json' },
    admin: { socket: 'none' },
    reload: { watch: false, debounceMs: 200 },
    shutdown: { drainMs: 1000 },
    state: { directory: 'none' },
    limits: { connections: 1000, pendingBytes: 64 * 1024 * 1024, stickyClients: 1024 },
    listeners: [],
    upstreams: [makeUpstream()],
    ...changes,
  }
}

export function makeListener(changes: Partial<ListenerConfig> = {}): ListenerConfig {
  return {
    name: 'edge',
    bind: [loopback(0)],
    socket: { backlog: 128, keepAliveMs: 60_000 },
    timeouts: { idleMs: 600_000, halfClosedMs: 30_000, maxDurationMs: Number.POSITIVE_INFINITY },
    upstream: 'chat',
    onUnavailable: 'reset',
    ...changes,
  }
}

export function makeUpstream(changes: Partial<UpstreamConfig> = {}): UpstreamConfig {
  return {
    name: 'chat',
    balance: 'round-robin',
    sourcePrefix: { ipv4: 32, ipv6: 64 },
    sticky: null,
    discovery: null,
    health: null,
    outlier: null,
    slowStartMs: 0,
    panicThreshold: 0,
    connections: { onRemoved: 'keep', onUnhealthy: 'keep', drainMs: 30_000 },
    servers: [makeServer(9)],
    connect: { timeoutMs: 5000, attempts: 3 },
    ...changes,
  }
}

export function makeServer(port: number, changes: Partial<ServerConfig> = {}): ServerConfig {
  const address = loopback(port)
  const maxConnections = Number.POSITIVE_INFINITY
  return { address, weight: 1, maxConnections, priority: 0, state: 'ready', zone: '', ...changes }
}

export function loopback(port: number): SocketAddress {
  return { family: 'ipv4', host: '127.0.0.1', port }
}
