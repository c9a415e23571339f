import { randomBytes } from 'node:crypto'
import { resolveBy } from '../discovery/deadline.ts'
import type { Config, ServerConfig } from '../model/config.ts'
import type { Membership } from '../model/snapshot.ts'
import { BACKEND_HELD_BYTES, BackendTable } from '../shared/backend-table.ts'
import { ClientTable, createClientTableMemory, MAIN_LOCKER } from '../shared/client-table.ts'
import { MAX_BACKENDS, MAX_LISTENERS, MAX_UPSTREAMS } from '../shared/limits.ts'
import { ListenerCounter } from '../shared/worker-counters.ts'
import { createSharedTables } from '../shared/worker-memory.ts'
import { connectionCapacity } from './descriptors.ts'
import { ListeningSockets, type OpenSocket, type SocketWish, socketKey } from './listening-sockets.ts'
import { type Age, RowRegistry } from './row-registry.ts'
import {
  type BuiltSnapshot,
  buildMembership,
  buildSnapshot,
  type Members,
  type Rows,
  upstreamOfKey,
} from './snapshot-builder.ts'
import { ANSWER_TIMEOUT_MS, Supervisor, type SupervisorEvents, tooLate } from './supervisor.ts'
import { WorkerHandle } from './worker-handle.ts'

/**
 * How long a socket that is about to be closed still takes clients whose handshake was under way: more than a round
 * trip across the world.
 */
const HANDSHAKE_LINGER_MS = 250

/** Backends that are gone and whose sticky clients know them again when they come back. */
const REMEMBERED_BACKENDS = 4_096

/** A configuration that workers hold and that only waits for the commit. */
export interface Prepared extends BuiltSnapshot {
  readonly config: Config
  readonly members: Members
  readonly wishes: readonly SocketWish[]
  /** By {@link socketKey}. */
  readonly sockets: ReadonlyMap<string, OpenSocket>
}

/**
 * The one path on which a configuration becomes the one that serves: {@link prepare}, {@link commit}, {@link retire}.
 * Everything that can fail, and everything that waits, is in prepare; commit is one store.
 */
export class LoadBalancer {
  readonly supervisor: Supervisor
  readonly rows: Rows
  readonly sockets = new ListeningSockets()
  readonly table: BackendTable
  readonly shared = createSharedTables()
  readonly #descriptorLimit: number
  readonly #drainRecords: () => void
  #clients: { readonly memory: SharedArrayBuffer; readonly table: ClientTable } | null = null
  /** Rows that an upstream has had. */
  readonly #upstreamRows = new Set<number>()
  #current: Prepared | null = null
  #generation = 0
  /** Of the last change of members: by a reload, or by discovery. */
  #epoch = 0
  /** Connections that were accepted by listeners whose rows are cleared. */
  #acceptedBefore = 0
  /**
   * Sockets that are being let go. A reload waits for that: it may want the address again, and the orders to let go must
   * not meet a snapshot that does. Resolves however late a worker is, and never rejects.
   */
  #retiring: Promise<void> = Promise.resolve()

  /**
   * `descriptorLimit` bounds the connections of every configuration. `drainRecords` formats what workers have recorded,
   * while the rows it names still belong to their owners.
   */
  constructor(descriptorLimit: number, events: SupervisorEvents, drainRecords: () => void) {
    const createHandle = (id: number) => new WorkerHandle(id, { ...this.shared, clients: this.#clients!.memory })
    this.supervisor = new Supervisor(this.shared.control, createHandle, events)
    this.table = new BackendTable(this.shared.backends, new SharedArrayBuffer(BACKEND_HELD_BYTES))
    this.#descriptorLimit = descriptorLimit
    this.#drainRecords = drainRecords
    this.rows = {
      listeners: new RowRegistry('listeners', MAX_LISTENERS, { onRelease: (row) => this.#forgetListener(row) }),
      upstreams: new RowRegistry('upstreams', MAX_UPSTREAMS, { onAssign: (row) => this.#forgetUpstream(row) }),
      backends: new RowRegistry('backends', MAX_BACKENDS, {
        rememberedOwners: REMEMBERED_BACKENDS,
        onAssign: (row, id) => this.table.assign(row, id),
        onRelease: (row) => this.#clear((counters) => counters.clearBackend(row)),
      }),
    }
  }

  /** There is none before the first {@link prepare}: its configuration says for how many clients it is, once for all. */
  get clients(): ClientTable {
    return this.#clients!.table
  }

  get current(): Prepared | null {
    return this.#current
  }

  /** The backends of every upstream that is served. */
  get members(): Members {
    return this.#current?.members ?? new Map()
  }

  /** Connections ever accepted, those of listeners that are gone included. */
  get accepted(): number {
    const rows = this.rows.listeners.rowsInUse()
    return rows.reduce((sum, row) => sum + this.#acceptedBy(row), this.#acceptedBefore)
  }

  /**
   * Everything that can fail: rows, sockets, the workers' readiness. Throws MCS_BIND_FAILED, MCS_LIMIT_EXCEEDED or
   * MCS_WORKER_FAILED, and then leaves all as it was.
   */
  async prepare(config: Config, members: Members = new Map()): Promise<Prepared> {
    // A worker that has not obeyed the order to let go would not take the snapshot either.
    if (!(await this.#hasRetired())) {
      throw tooLate('A worker did not let go of earlier listening sockets')
    }
    this.#clients ??= createClients(config.limits.stickyClients)
    this.#collectRows()
    const wishes = socketWishes(config)
    const { sockets, undo } = await this.sockets.open(wishes)
    const age = { generation: ++this.#generation, epoch: ++this.#epoch }
    let built: BuiltSnapshot | null = null
    try {
      built = buildSnapshot(config, members, age, this.rows, sockets, connectionCapacity(this.#descriptorLimit, config))
      await this.supervisor.prepare(built.snapshot)
      for (const wish of wishes) this.sockets.listen(sockets.get(wish.key)!, wish)
      return { ...built, config, members, wishes, sockets }
    } catch (error) {
      if (built !== null) this.supervisor.discard(built.snapshot)
      undo()
      this.#retainRows(age)
      throw error
    }
  }

  /** The swap. Returns what served before. */
  commit(next: Prepared): Prepared | null {
    const previous = this.#current
    this.#current = next
    this.supervisor.commit(next.snapshot)
    this.#retainRows(next.snapshot)
    return previous
  }

  /**
   * Waits until every worker accepts under the current snapshot, then has the sockets that it does not have emptied
   * and closed. The latter goes on after this has resolved. Rejects with MCS_WORKER_FAILED where a worker is late; the
   * sockets then stay open for as long as it is.
   */
  async retire(): Promise<void> {
    const { snapshot, sockets } = this.#current!
    const kept = new Set(sockets.values())
    const leaving = this.sockets.list().filter((socket) => !kept.has(socket))
    for (const socket of leaving) this.sockets.retire(socket)
    const switched = this.supervisor.switched(snapshot.generation)
    if (leaving.length > 0) this.#retiring = this.#letGo(leaving, switched)
    await switched
  }

  /**
   * Gives an upstream other backends, under all generations at once: live connections stay. To be called between
   * reloads only, not while one is prepared. Throws MCS_LIMIT_EXCEEDED, and then leaves all as it was.
   */
  updateMembers(upstream: string, servers: readonly ServerConfig[]): Membership {
    this.#collectRows()
    const current = this.#current!
    const index = current.snapshot.upstreams.findIndex(({ name }) => name === upstream)
    const { row } = current.snapshot.upstreams[index]!
    // Every snapshot takes the change over, so no generation has to pass before a row is free.
    const age = { generation: 0, epoch: ++this.#epoch }
    try {
      const { membership, keys } = buildMembership({ name: upstream, row }, servers, age.epoch, this.rows)
      const upstreams = current.snapshot.upstreams.map((one, i) => (i === index ? { ...one, membership } : one))
      const backends = new Map(current.used.backends).set(upstream, keys)
      this.#current = {
        ...current,
        members: new Map(current.members).set(upstream, servers),
        snapshot: { ...current.snapshot, epoch: age.epoch, upstreams },
        used: { ...current.used, backends },
      }
      this.supervisor.updateMembers(this.#current.snapshot, membership)
      return membership
    } finally {
      this.#retainRows(age)
    }
  }

  /** What there is for backends, with everything given back that nobody needs any more. */
  roomForBackends(): Pick<RowRegistry, 'has' | 'free'> {
    this.#collectRows()
    return this.rows.backends
  }

  /** Has every worker end its connections to these backends. */
  endConnections(rows: readonly number[], cause: number): void {
    this.supervisor.endConnections(rows, cause)
  }

  /** Stops accepting: a snapshot without listeners serves. Connections live on. */
  async stopAccepting(): Promise<void> {
    const { config } = this.#current!
    const next = await this.prepare({ ...config, listeners: [] }, this.members)
    this.commit(next)
    await this.retire()
    await this.#hasRetired()
  }

  /** Closes sockets once every worker has let them go: before, the number must not be given to another file. */
  async #letGo(sockets: readonly OpenSocket[], switched: Promise<void>): Promise<void> {
    // One that is late to switch is late to let go too, and is waited for there.
    await switched.catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, HANDSHAKE_LINGER_MS))
    await this.supervisor.release(sockets.map((socket) => socket.id))
    for (const socket of sockets) this.sockets.close(socket)
    this.sockets.endSharing()
  }

  /** Whether the retirement that is under way ends before workers must have answered. */
  #hasRetired(): Promise<boolean> {
    const done = this.#retiring.then(() => true)
    return resolveBy(done, ANSWER_TIMEOUT_MS, () => false)
  }

  #forgetListener(row: number): void {
    this.#acceptedBefore += this.#acceptedBy(row)
    this.#clear((counters) => counters.clearListener(row))
  }

  #forgetUpstream(row: number): void {
    Atomics.store(new Int32Array(this.shared.panics), row, 0)
    // The whole table is gone through, and a row that is new has nobody in it.
    if (this.#upstreamRows.has(row)) this.clients.forgetUpstream(row)
    this.#upstreamRows.add(row)
  }

  #acceptedBy(row: number): number {
    const { handles } = this.supervisor
    return handles.reduce((sum, { counters }) => sum + counters.readListener(row, ListenerCounter.accepted), 0)
  }

  #clear(clear: (counters: Supervisor['handles'][number]['counters']) => void): void {
    for (const handle of this.supervisor.handles) clear(handle.counters)
  }

  /** Rows that nothing served names any more, as of `age`: kept while connections, or records in a ring, may speak of them. */
  #retainRows(age: Age): void {
    const used = this.#current?.used
    const backends = used?.backends ?? new Map<string, ReadonlySet<string>>()
    const isMember = (key: string) => backends.get(upstreamOfKey(key))?.has(key) === true
    this.rows.listeners.retain(used?.listeners ?? new Set(), age)
    this.rows.upstreams.retain(used?.upstreams ?? new Set(), age)
    this.rows.backends.retain({ has: isMember }, age)
  }

  #collectRows(): void {
    const oldest = this.supervisor.oldest()
    this.#drainRecords()
    this.rows.listeners.collect(oldest, () => false)
    this.rows.upstreams.collect(oldest, () => false)
    this.rows.backends.collect(oldest, (row) => this.table.active(row) > 0)
  }
}

function createClients(capacity: number): { memory: SharedArrayBuffer; table: ClientTable } {
  const memory = createClientTableMemory(randomBytes(8), capacity)
  return { memory, table: new ClientTable(memory, MAIN_LOCKER) }
}

function socketWishes(config: Config): SocketWish[] {
  return config.listeners.flatMap((listener) =>
    listener.bind.map((address, index) => ({
      key: socketKey(listener.name, index, address),
      listener: listener.name,
      address,
      backlog: listener.socket.backlog,
      keepAliveMs: listener.socket.keepAliveMs,
    })),
  )
}
