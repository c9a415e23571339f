import type { Balancer } from '../balance/balancer.ts'
import { RoundRobinBalancer } from '../balance/round-robin.ts'
import type { BackendSnapshot, ListenerSnapshot, Snapshot, UpstreamSnapshot } from '../model/snapshot.ts'

/** An upstream as a worker uses it. */
export interface ServingUpstream {
  readonly row: number
  readonly connectTimeoutMs: number
  readonly attempts: number
  readonly backends: readonly BackendSnapshot[]
  readonly balancer: Balancer
}

/** A snapshot that this worker serves, or whose connections still live. */
export class ServingSnapshot {
  readonly snapshot: Snapshot
  readonly listeners: readonly ListenerSnapshot[]
  readonly upstreams: readonly ServingUpstream[]
  /** Connections that were accepted under it. */
  connections = 0
  /** Listening sockets from which clients are accepted under it. */
  doors = 0

  constructor(snapshot: Snapshot, cursors: Int32Array) {
    this.snapshot = snapshot
    this.listeners = snapshot.listeners
    this.upstreams = snapshot.upstreams.map((upstream) => servingUpstream(upstream, cursors))
  }
}

function servingUpstream(upstream: UpstreamSnapshot, cursors: Int32Array): ServingUpstream {
  return {
    row: upstream.row,
    connectTimeoutMs: upstream.connectTimeoutMs,
    attempts: upstream.attempts,
    backends: upstream.backends,
    balancer: new RoundRobinBalancer(upstream.schedule, upstream.backends, cursors, upstream.row),
  }
}

/** The snapshots that connections refer to by index. An index is given again once its last connection is gone. */
export class ServingTable {
  readonly #entries: (ServingSnapshot | undefined)[] = []

  add(serving: ServingSnapshot): number {
    const free = this.#entries.indexOf(undefined)
    const index = free < 0 ? this.#entries.length : free
    this.#entries[index] = serving
    return index
  }

  at(index: number): ServingSnapshot {
    return this.#entries[index]!
  }

  /** As {@link at}, or undefined where the snapshot has been removed already. */
  find(index: number): ServingSnapshot | undefined {
    return this.#entries[index]
  }

  remove(index: number): void {
    this.#entries[index] = undefined
  }

  /** The lowest generation that is served or has connections; 0 when there is none. */
  oldestGeneration(): number {
    let oldest = 0
    for (const entry of this.#entries) {
      if (entry === undefined) continue
      const { generation } = entry.snapshot
      if (oldest === 0 || generation < oldest) oldest = generation
    }
    return oldest
  }

  /** Generations that have connections, and how many. */
  counts(): { generation: number; connections: number }[] {
    return this.#entries
      .filter((entry) => entry !== undefined && entry.connections > 0)
      .map((entry) => ({ generation: entry!.snapshot.generation, connections: entry!.connections }))
  }
}
