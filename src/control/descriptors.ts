import type { Config, UpstreamConfig } from '../model/config.ts'

/** Logs, libraries, the admin API, and checks under way. Under a low limit it is a quarter of that, within bounds. */
const BASE = 256
/** An idle process with two workers has 36 open, of which this does not count what workers and listeners take. */
const LEAST_BASE = 48
/** What a thread's loop and its reactor take: 6 were counted. */
const PER_WORKER = 8
const PER_CONNECTION = 2

/** Connections that `limit` file descriptors allow beside what `config` takes for itself. */
export function connectionCapacity(limit: number, config: Config): number {
  const reserved = Math.min(BASE, Math.max(LEAST_BASE, Math.floor(limit / 4))) + reservedFor(config)
  return Math.max(1, Math.floor((limit - reserved) / PER_CONNECTION))
}

/** The limit under which there is room for `connections`. */
export function neededDescriptors(connections: number, config: Config): number {
  return connections * PER_CONNECTION + BASE + reservedFor(config)
}

function reservedFor({ workers, listeners, upstreams }: Config): number {
  const sockets = listeners.reduce((sum, { bind }) => sum + bind.length, 0)
  return workers * PER_WORKER + sockets + upstreams.reduce((sum, upstream) => sum + takenBy(upstream), 0)
}

/** A connection for questions and one for notifications; one to keep sticky entries; a file that is read, or a query. */
function takenBy({ discovery, sticky }: UpstreamConfig): number {
  const kept = sticky?.persist == null ? 0 : 1
  return kept + (discovery === null ? 0 : discovery.type === 'redis-keys' ? 2 : 1)
}
