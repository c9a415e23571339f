import { CURSORS_PER_UPSTREAM, TieredBalancer } from '../balance/tiered.ts'
import type { BackendSnapshot, ListenerSnapshot, Membership, Snapshot, UpstreamSnapshot } from '../model/snapshot.ts'
import type { BackendTable } from '../shared/backend-table.ts'

/** What balancers work on. */
export interface BalanceMemory {
  readonly table: BackendTable
  /** CURSORS_PER_UPSTREAM int32 an upstream row: where its turns stand. */
  readonly cursors: Int32Array
  random(): number
}

/** A backend, and which of the membership's groups it is in. */
export interface ServingMember {
  readonly backend: BackendSnapshot
  readonly group: number
}

/**
 * An upstream as a worker uses it, under one snapshot. A change of members that is no reload holds under every snapshot
 * that has the upstream.
 */
export class ServingUpstream {
  readonly #memory: BalanceMemory
  readonly policy: UpstreamSnapshot
  #membership: Membership
  #balancer: TieredBalancer
  /** By the backend's id: where clients are kept, for it to be known whether their backend is still there. */
  #members: ReadonlyMap<number, ServingMember>

  constructor(snapshot: UpstreamSnapshot, memory: BalanceMemory) {
    this.#memory = memory
    this.policy = snapshot
    this.#membership = snapshot.membership
    this.#balancer = this.#createBalancer()
    this.#members = membersOf(snapshot, snapshot.membership)
  }

  get backends(): readonly BackendSnapshot[] {
    return this.#membership.backends
  }

  /** Whether a choice needs the hash of the client's address. */
  get hashesClients(): boolean {
    return this.policy.balance === 'source-hash'
  }

  /** The backend with this id, as long as it is a member and clients are kept. */
  memberWith(id: number): ServingMember | undefined {
    return this.#members.get(id)
  }

  /** Whether a backend might be chosen if it had room. `panicBits` as for {@link TieredBalancer.choose}. */
  mayServe(panicBits: number): boolean {
    const { table } = this.#memory
    return this.#membership.groups.some(({ rows }, group) =>
      rows.some((row) => table.isAvailable(row, ((panicBits >>> group) & 1) === 1)),
    )
  }

  get balancer(): TieredBalancer {
    return this.#balancer
  }

  /** Takes over other members, unless it has later ones. */
  adoptMembers(membership: Membership): void {
    if (membership.epoch <= this.#membership.epoch) return
    this.#membership = membership
    this.#balancer = this.#createBalancer()
    this.#members = membersOf(this.policy, membership)
  }

  #createBalancer(): TieredBalancer {
    const { balance, row } = this.policy
    const { groups } = this.#membership
    const cursor = row * CURSORS_PER_UPSTREAM
    return new TieredBalancer({ ...this.#memory, algorithm: balance, groups, cursor })
  }
}

function membersOf({ stickyTtlMs }: UpstreamSnapshot, membership: Membership): ReadonlyMap<number, ServingMember> {
  const members = new Map<number, ServingMember>()
  if (stickyTtlMs === 0) return members
  membership.groups.forEach(({ positions }, group) => {
    for (const position of positions) {
      const backend = membership.backends[position]!
      members.set(backend.id, { backend, group })
    }
  })
  return members
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

  constructor(snapshot: Snapshot, memory: BalanceMemory) {
    this.snapshot = snapshot
    this.listeners = snapshot.listeners
    this.upstreams = snapshot.upstreams.map((upstream) => new ServingUpstream(upstream, memory))
  }

  adoptMembers(membership: Membership): void {
    const upstream = this.upstreams.find(({ policy }) => policy.row === membership.upstream)
    upstream?.adoptMembers(membership)
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

  /** Every snapshot that is served or has connections. */
  all(): ServingSnapshot[] {
    return this.#entries.filter((entry) => entry !== undefined)
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
