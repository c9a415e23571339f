import { resolveBy } from '../discovery/deadline.ts'
import { connectRedis, type RedisClient } from '../discovery/redis-client.ts'
import { Libc } from '../kernel/libc.ts'
import type { Config, StickyConfig } from '../model/config.ts'
import type { Snapshot, UpstreamSnapshot } from '../model/snapshot.ts'
import type { Logger } from '../observe/logger.ts'
import type { ClientTable } from '../shared/client-table.ts'
import type { Prepared } from './load-balancer.ts'
import { createRedisHash } from './redis-hash.ts'
import type { RowRegistry } from './row-registry.ts'
import { createStickyFile } from './sticky-file.ts'
import { createStickyHash } from './sticky-hash.ts'
import { type StickyNames, StickyPersistence, type StickyStatus, type StickyUpstream } from './sticky-persistence.ts'
import type { StickyRecord } from './sticky-record.ts'
import { MAX_STORED_RECORDS, type StickyStore } from './sticky-store.ts'

/** How long a start or reload waits for what was saved; clients that come before it is read are new ones. */
const LOAD_WAIT_MS = 1000

type Persist = NonNullable<StickyConfig['persist']>

/** An upstream as entries know it, and as it serves. */
interface Kept {
  readonly upstream: StickyUpstream
  readonly snapshot: UpstreamSnapshot
}

/** One place where entries are kept, and the upstreams that keep theirs there. */
interface Keeper {
  readonly persistence: StickyPersistence
  readonly redis: RedisClient | null
  kept: readonly Kept[]
}

/** A place that a configuration names. */
interface WantedPlace {
  readonly persist: Persist
  readonly kept: Kept[]
}

export interface StickyKeeperParts {
  /** There is one once a configuration is to be followed. */
  readonly clients: () => ClientTable
  readonly backends: RowRegistry
  readonly log: Logger
}

/** Keeps sticky entries over a restart, in each of the places that the configuration names. */
export class StickyKeepers {
  readonly #parts: StickyKeeperParts
  readonly #kernel = new Libc()
  /** By place, as text. */
  readonly #keepers = new Map<string, Keeper>()

  constructor(parts: StickyKeeperParts) {
    this.#parts = parts
  }

  /**
   * Follows a configuration that is about to serve: lets go of the places that it has not, and opens those that it has
   * anew; an upstream that moves from one to the other takes its entries along. Resolves when what was saved is read, or
   * after a second.
   */
  async follow({ config, snapshot }: Pick<Prepared, 'config' | 'snapshot'>): Promise<void> {
    const wanted = wantedPlaces(config, snapshot)
    const before = [...this.#keepers]
    // Before anything else: a place that is let go saves once more, and others then have what waited there.
    await this.#close(before.filter(([place]) => !wanted.has(place)))
    const starts = [...wanted].map(([place, { persist, kept }]) => {
      const known = this.#keepers.get(place)
      const newcomers = kept.map(({ upstream }) => upstream).filter(({ name }) => !known?.kept.some(isNamed(name)))
      const others = before.filter(([other]) => other !== place)
      const moved = newcomers.flatMap(({ name }) =>
        others.flatMap(([, { persistence }]) => persistence.waitingOf(name)),
      )
      if (known === undefined) return this.#open(place, persist, kept, moved)
      known.kept = kept
      return newcomers.length === 0 ? undefined : known.persistence.takeIn(newcomers, moved)
    })
    await resolveBy(Promise.all(starts), LOAD_WAIT_MS, () => [])
  }

  /** Discovery has changed the members of an upstream. */
  followMembers(snapshot: UpstreamSnapshot): void {
    for (const keeper of this.#keepers.values()) {
      keeper.kept = keeper.kept.map((one) => (one.snapshot.row === snapshot.row ? { ...one, snapshot } : one))
    }
  }

  /** How the store of an upstream's entries does; undefined where they are in memory alone. */
  statusOf(upstream: string): StickyStatus | undefined {
    return [...this.#keepers.values()].find(({ kept }) => kept.some(isNamed(upstream)))?.persistence.status
  }

  /** Saves what is left. */
  async close(): Promise<void> {
    await this.#close([...this.#keepers])
  }

  async #open(place: string, persist: Persist, kept: readonly Kept[], moved: readonly StickyRecord[]): Promise<void> {
    const redis = 'redis' in persist ? connectRedis(persist.redis) : null
    const persistence = new StickyPersistence({
      table: this.#parts.clients(),
      names: this.#namesOver(() => keeper.kept),
      store: this.#storeOf(persist, redis),
      upstreamNames: () => keeper.kept.map(({ upstream }) => upstream.name),
      log: this.#parts.log,
      nowMs: () => this.#kernel.nowMs(),
      wallClockMs: () => Date.now(),
    })
    const keeper: Keeper = { persistence, redis, kept }
    this.#keepers.set(place, keeper)
    const upstreams = kept.map(({ upstream }) => upstream)
    await persistence.start(upstreams, moved, redis?.whenReady(LOAD_WAIT_MS))
  }

  async #close(keepers: readonly (readonly [place: string, keeper: Keeper])[]): Promise<void> {
    await Promise.all(
      keepers.map(async ([place, { persistence, redis }]) => {
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

  /** What ties names to rows, of these upstreams. */
  #namesOver(kept: () => readonly Kept[]): StickyNames {
    const { backends } = this.#parts
    return {
      upstreamAt: (row) => kept().find(({ upstream }) => upstream.row === row)?.upstream,
      upstreamNamed: (name) => kept().find(isNamed(name))?.upstream,
      backendNameOf: (id) => backends.nameOfId(id),
      backendNamed: ({ row }, name) => {
        const members = kept().find(({ upstream }) => upstream.row === row)?.snapshot.membership.backends
        const backend = members?.find((one) => one.name === name)
        return backend && { row: backend.row, incarnation: backend.id }
      },
    }
  }
}

function isNamed(name: string): (kept: Kept) => boolean {
  return ({ upstream }) => upstream.name === name
}

/** By place, as text. */
function wantedPlaces(config: Config, snapshot: Snapshot): Map<string, WantedPlace> {
  const places = new Map<string, WantedPlace>()
  config.upstreams.forEach(({ name, sticky, sourcePrefix }, index) => {
    if (sticky === null || sticky.persist === null) return
    const place = JSON.stringify(sticky.persist)
    const wanted = places.get(place) ?? { persist: sticky.persist, kept: [] }
    const served = snapshot.upstreams[index]!
    wanted.kept.push({ upstream: { name, row: served.row, ttlMs: sticky.ttlMs, sourcePrefix }, snapshot: served })
    places.set(place, wanted)
  })
  return places
}
