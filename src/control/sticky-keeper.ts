import { resolveBy } from '../discovery/deadline.ts'
import { connectRedis, type RedisClient } from '../discovery/redis-client.ts'
import { Libc } from '../kernel/libc.ts'
import type { StickyConfig } from '../model/config.ts'
import type { UpstreamSnapshot } from '../model/snapshot.ts'
import type { Logger } from '../observe/logger.ts'
import type { BackendTable } from '../shared/backend-table.ts'
import type { ClientTable } from '../shared/client-table.ts'
import type { Prepared } from './load-balancer.ts'
import { createRedisHash } from './redis-hash.ts'
import type { RowRegistry } from './row-registry.ts'
import { createStickyFile } from './sticky-file.ts'
import { createStickyHash } from './sticky-hash.ts'
import { type StickyNames, StickyPersistence, type StickyUpstream } from './sticky-persistence.ts'
import { MAX_STORED_RECORDS, type StickyStore } from './sticky-store.ts'

/** How long a start or reload waits for what was saved; clients that come before it is read are new ones. */
const LOAD_WAIT_MS = 1000

type Persist = NonNullable<StickyConfig['persist']>

/** One place where entries are kept, and the upstreams that keep theirs there. */
interface Keeper {
  readonly persistence: StickyPersistence
  readonly redis: RedisClient | null
}

export interface StickyKeeperParts {
  readonly clients: ClientTable
  readonly table: BackendTable
  readonly backends: RowRegistry
  readonly log: Logger
}

/** Keeps sticky entries over a restart, in each of the places that the configuration names. */
export class StickyKeepers {
  readonly #parts: StickyKeeperParts
  readonly #kernel = new Libc()
  readonly #keepers = new Map<string, Keeper>()
  #upstreams: readonly (readonly [StickyUpstream, UpstreamSnapshot, place: string])[] = []

  constructor(parts: StickyKeeperParts) {
    this.#parts = parts
  }

  /**
   * Follows a configuration that is about to serve: opens the places that it has anew, and lets go of those that it
   * has not. Resolves when what was saved is read, or after a second.
   */
  async follow({ config, snapshot }: Pick<Prepared, 'config' | 'snapshot'>): Promise<void> {
    const wanted = new Map<string, Persist>()
    const upstreams: [StickyUpstream, UpstreamSnapshot, string][] = []
    config.upstreams.forEach(({ name, sticky, sourcePrefix }, index) => {
      if (sticky === null || sticky.persist === null) return
      const place = JSON.stringify(sticky.persist)
      const upstream = snapshot.upstreams[index]!
      wanted.set(place, sticky.persist)
      upstreams.push([{ name, row: upstream.row, ttlMs: sticky.ttlMs, sourcePrefix }, upstream, place])
    })
    this.#upstreams = upstreams
    await this.#close([...this.#keepers.keys()].filter((place) => !wanted.has(place)))
    const starts = Promise.all([...wanted].map(([place, persist]) => this.#open(place, persist)))
    await resolveBy(starts, LOAD_WAIT_MS, () => [])
  }

  /** Discovery has changed the members of an upstream. */
  followMembers(snapshot: UpstreamSnapshot): void {
    this.#upstreams = this.#upstreams.map((entry) =>
      entry[1].row === snapshot.row ? [entry[0], snapshot, entry[2]] : entry,
    )
  }

  /** Saves what is left. */
  async close(): Promise<void> {
    await this.#close([...this.#keepers.keys()])
  }

  async #open(place: string, persist: Persist): Promise<void> {
    if (this.#keepers.has(place)) return
    const redis = this.#connect(persist)
    if (redis === undefined) return
    const persistence = new StickyPersistence({
      table: this.#parts.clients,
      names: this.#namesFor(place),
      store: this.#storeOf(persist, redis),
      log: this.#parts.log,
      nowMs: () => this.#kernel.nowMs(),
      wallClockMs: () => Date.now(),
    })
    this.#keepers.set(place, { persistence, redis })
    await redis?.whenReady(LOAD_WAIT_MS)
    await persistence.start()
  }

  /** Null where no Redis is meant; undefined where one cannot even be tried: entries are then in memory alone. */
  #connect(persist: Persist): RedisClient | null | undefined {
    try {
      return 'redis' in persist ? connectRedis(persist.redis) : null
    } catch (error) {
      this.#parts.log.error('Sticky entries are not kept over a restart; mend this and reload', { error })
      return undefined
    }
  }

  async #close(places: readonly string[]): Promise<void> {
    await Promise.all(
      places.map(async (place) => {
        const { persistence, redis } = this.#keepers.get(place)!
        this.#keepers.delete(place)
        await persistence.stop()
        redis?.close()
      }),
    )
  }

  #storeOf(persist: Persist, redis: RedisClient | null): StickyStore {
    const { log } = this.#parts
    if (!('redis' in persist) || redis === null) return createStickyFile('path' in persist ? persist.path : '', log)
    const hash = createRedisHash(redis.commands, persist.key, { describe: redis.describe })
    const name = `the Redis hash "${persist.key}"`
    return createStickyHash(hash, { name, maxFields: MAX_STORED_RECORDS, log, wallClockMs: () => Date.now() })
  }

  /** What ties names to rows, of the upstreams that keep their entries in this place. */
  #namesFor(place: string): StickyNames {
    const { backends, table } = this.#parts
    const own = () => this.#upstreams.filter((entry) => entry[2] === place)
    return {
      upstreamAt: (row) => own().find(([upstream]) => upstream.row === row)?.[0],
      upstreamNamed: (name) => own().find(([upstream]) => upstream.name === name)?.[0],
      backendAt: (row, id) => (table.id(row) === id ? backends.nameOfId(id) : undefined),
      backendNamed: ({ row }, name) => {
        const members = own().find(([upstream]) => upstream.row === row)?.[1].membership.backends
        const backend = members?.find((one) => one.name === name)
        return backend && { row: backend.row, incarnation: backend.id }
      },
    }
  }
}
