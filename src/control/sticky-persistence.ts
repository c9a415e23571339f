import { setImmediate as nextTurn } from 'node:timers/promises'
import { resolveBy } from '../discovery/deadline.ts'
import type { SourcePrefix } from '../model/config.ts'
import type { Logger } from '../observe/logger.ts'
import { ClientKey } from '../shared/client-key.ts'
import type { ClientEntry, ClientTable } from '../shared/client-table.ts'
import { clientText, type StickyRecord, setClientText } from './sticky-record.ts'
import type { StickyStore } from './sticky-store.ts'

/** How often changes are saved. */
const INTERVAL_MS = 5000
/** The pause after a round is so many times as long as the round was, as far as that is not too long. */
const REST_FACTOR = 20
const MAX_REST_MS = 60_000
/** Records that are seen to between two turns of the loop, and the buckets of the table that hold so many. */
const BATCH_RECORDS = 512
const CHUNK_BUCKETS = BATCH_RECORDS / 8
/** How far a worker's idea of now may lie behind, so that what it wrote is not taken for saved. */
const CLOCK_MARGIN_MS = 2000

/** An upstream with sticky sessions that are kept in this store. */
export interface StickyUpstream {
  readonly name: string
  readonly row: number
  readonly ttlMs: number
  readonly sourcePrefix: SourcePrefix
}

/** What ties rows and incarnations to names. Undefined where nothing has that row or name, or it is known no more. */
export interface StickyNames {
  upstreamAt(row: number): StickyUpstream | undefined
  upstreamNamed(name: string): StickyUpstream | undefined
  /** The backend's name, whether it has a row or is gone: its clients find it again when it comes back. */
  backendNameOf(incarnation: number): string | undefined
  backendNamed(
    upstream: StickyUpstream,
    name: string,
  ): { readonly row: number; readonly incarnation: number } | undefined
}

export interface StickyPersistenceParts {
  readonly table: ClientTable
  readonly names: StickyNames
  readonly store: StickyStore
  /** Names of the upstreams whose entries the store keeps, for the log. */
  upstreamNames(): readonly string[]
  readonly log: Logger
  /** The clock of the table. */
  nowMs(): number
  wallClockMs(): number
  readonly intervalMs?: number
}

interface StickyFailure {
  /** Since when, ms since 1970. */
  readonly sinceMs: number
  /** How the last round failed. It names the store, and no password. */
  readonly reason: string
}

/** `starting`: what was saved has not been read yet. */
export type StickyStatus = { readonly state: 'starting' | 'good' } | ({ readonly state: 'failing' } & StickyFailure)

/**
 * Keeps a client table over a restart. What was saved is read once, as soon as the store lets itself be read, and
 * nothing is saved before; a client that came back meanwhile keeps the backend that it has now. Then changes are saved
 * every few seconds, and at the end. A store that fails costs a line in the log and nothing else: it is tried again.
 *
 * A record whose backend is not known, because discovery has not found it yet or not any more, waits until it is, or
 * until its time is over.
 */
export class StickyPersistence {
  readonly #parts: StickyPersistenceParts
  readonly #intervalMs: number
  /** By upstream and client; at most as many as the table is for. */
  readonly #waiting = new Map<string, StickyRecord>()
  /** Rows of upstreams of which the store may lack entries, however old those are. */
  readonly #newcomers = new Set<number>()
  #isLoaded = false
  #failure: StickyFailure | null = null
  #isStopped = false
  /** What was used before is saved, by the table's clock. */
  #savedToMs: number
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(parts: StickyPersistenceParts) {
    this.#parts = parts
    this.#intervalMs = parts.intervalMs ?? INTERVAL_MS
    this.#savedToMs = parts.nowMs() - CLOCK_MARGIN_MS
  }

  /** How its store does: entries are in memory alone unless it is `good`. */
  get status(): StickyStatus {
    if (this.#failure !== null) return { state: 'failing', ...this.#failure }
    return { state: this.#isLoaded ? 'good' : 'starting' }
  }

  /** Records that wait for their backend. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Those of an upstream, for the store to which it moves. */
  waitingOf(upstream: string): StickyRecord[] {
    return [...this.#waiting.values()].filter((record) => record.upstream === upstream)
  }

  /**
   * Reads what was saved, as soon as the store is `ready`, and saves from now on; to be called once, with what
   * {@link takeIn} is called with later. Resolves when it was read, or could not be for now; never rejects.
   */
  async start(
    upstreams: readonly StickyUpstream[],
    moved: readonly StickyRecord[] = [],
    ready: Promise<unknown> = Promise.resolve(),
  ): Promise<void> {
    this.#running = ready.then(() => {})
    await this.takeIn(upstreams, moved)
    this.#schedule(this.#intervalMs)
  }

  /**
   * Upstreams are kept here from now on: what was saved of them is read, and what the table has of them by now is saved
   * whole, for another store had it until now. `moved` are records that waited there. Resolves as {@link start} does.
   */
  takeIn(upstreams: readonly StickyUpstream[], moved: readonly StickyRecord[] = []): Promise<void> {
    this.#running = this.#running.then(async () => {
      await this.#noteNewcomers(new Set(upstreams.map(({ row }) => row)))
      for (const record of moved) {
        this.#wait(idOf(record), record)
        for (const { name, row } of upstreams) if (name === record.upstream) this.#newcomers.add(row)
      }
      this.#isLoaded = false
    })
    return this.#enqueue()
  }

  /** Saves what is left, for at most `timeoutMs`. True if that is done. */
  async stop(timeoutMs = 2000): Promise<boolean> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    const done = this.#enqueue().then(() => this.#isLoaded && this.#failure === null)
    return resolveBy(done, timeoutMs, () => false)
  }

  /** One round after those that run. */
  #enqueue(): Promise<void> {
    this.#running = this.#running.then(() => this.#round())
    return this.#running
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return
    this.#timer = setTimeout(async () => {
      const startedAtMs = performance.now()
      await this.#enqueue()
      const restMs = Math.min(REST_FACTOR * (performance.now() - startedAtMs), MAX_REST_MS)
      this.#schedule(Math.max(this.#intervalMs, restMs))
    }, delayMs)
    this.#timer.unref()
  }

  async #round(): Promise<void> {
    const { log, upstreamNames } = this.#parts
    try {
      if (!this.#isLoaded) await this.#load()
      await this.#seatWaiting()
      await this.#save()
      if (this.#failure !== null) log.info('Sticky entries are saved again', { upstreams: upstreamNames() })
      this.#failure = null
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (this.#failure === null) {
        log.warn('Sticky entries are not saved for now', { upstreams: upstreamNames(), error })
      }
      this.#failure = { sinceMs: this.#failure?.sinceMs ?? this.#parts.wallClockMs(), reason }
    }
  }

  /** What is read from the store is nothing that it lacks, so only upstreams with entries before that count. */
  async #noteNewcomers(rows: ReadonlySet<number>): Promise<void> {
    const { table } = this.#parts
    for (let from = 0; from < table.buckets; from += CHUNK_BUCKETS) {
      const isComplete = table.scan(from, CHUNK_BUCKETS, ({ key }) => {
        if (rows.has(key.upstreamRow)) this.#newcomers.add(key.upstreamRow)
      })
      // Whose entries lie in a bucket that is held is not known.
      if (!isComplete) for (const row of rows) this.#newcomers.add(row)
      await nextTurn()
    }
  }

  async #load(): Promise<void> {
    for await (const records of this.#parts.store.load()) {
      for (const record of records) this.#seat(record)
      await nextTurn()
    }
    this.#isLoaded = true
  }

  /** Puts a record into the table, or among those that wait. */
  #seat(record: StickyRecord): void {
    const { names, table } = this.#parts
    const id = idOf(record)
    const leftMs = record.expiresAtMs - this.#parts.wallClockMs()
    const upstream = names.upstreamNamed(record.upstream)
    const backend = upstream && names.backendNamed(upstream, record.backend)
    if (leftMs > 0 && (upstream === undefined || backend === undefined)) this.#wait(id, record)
    else this.#waiting.delete(id)
    if (leftMs <= 0 || upstream === undefined || backend === undefined) return
    // A ttl that was shortened holds for old records too; so nothing that is read can last for ever.
    const lastUseMs = this.#parts.nowMs() - upstream.ttlMs + Math.min(leftMs, upstream.ttlMs)
    const key = new ClientKey()
    setClientText(key, upstream.row, record.client, upstream.sourcePrefix)
    table.restore(key, backend.row, backend.incarnation, lastUseMs)
  }

  #wait(id: string, record: StickyRecord): void {
    const known = this.#waiting.get(id)
    if (known !== undefined && known.expiresAtMs >= record.expiresAtMs) return
    if (known !== undefined || this.#waiting.size < this.#parts.table.capacity) this.#waiting.set(id, record)
  }

  /** Looks again at those that wait, a part at a time. */
  async #seatWaiting(): Promise<void> {
    let count = 0
    for (const record of [...this.#waiting.values()]) {
      this.#seat(record)
      if (++count % BATCH_RECORDS === 0) await nextTurn()
    }
  }

  async #save(): Promise<void> {
    const { store, nowMs } = this.#parts
    const startedAtMs = nowMs()
    const result = { isComplete: true }
    if (store.takes === 'changes') await store.save(this.#changes(result))
    else if (await this.#hasChanged()) await store.save(this.#everything(result))
    if (!result.isComplete) return
    this.#savedToMs = startedAtMs - CLOCK_MARGIN_MS
    this.#newcomers.clear()
  }

  async #hasChanged(): Promise<boolean> {
    const result = { isComplete: true }
    for await (const records of this.#changes(result)) if (records.length > 0) return true
    return !result.isComplete
  }

  async *#changes(result: { isComplete: boolean }): AsyncIterable<readonly StickyRecord[]> {
    const { names } = this.#parts
    yield* this.#records(this.#savedToMs, result)
    if (this.#newcomers.size === 0) return
    const isNewcomer = ({ upstream }: StickyRecord) => this.#newcomers.has(names.upstreamNamed(upstream)?.row ?? -1)
    yield* inBatches([...this.#waiting.values()].filter(isNewcomer))
  }

  /** Those in the table first: where one of them waits as well, what the table says is newer. */
  async *#everything(result: { isComplete: boolean }): AsyncIterable<readonly StickyRecord[]> {
    yield* this.#records(Number.NEGATIVE_INFINITY, result)
    yield* inBatches([...this.#waiting.values()])
  }

  /** Clients in the table that were used at `sinceMs` or later, and all those of newcomers, chunk by chunk. */
  async *#records(sinceMs: number, result: { isComplete: boolean }): AsyncIterable<readonly StickyRecord[]> {
    const { table } = this.#parts
    for (let from = 0; from < table.buckets; from += CHUNK_BUCKETS) {
      const records: StickyRecord[] = []
      const isComplete = table.scan(from, CHUNK_BUCKETS, (entry) => {
        const isMeant = entry.lastUseMs >= sinceMs || this.#newcomers.has(entry.key.upstreamRow)
        const record = isMeant ? this.#toRecord(entry) : undefined
        if (record !== undefined) records.push(record)
      })
      if (!isComplete) result.isComplete = false
      if (records.length > 0) yield records
      await nextTurn()
    }
  }

  /** Undefined for one of another store, one that is over, and one whose backend has been gone for too long. */
  #toRecord({ key, incarnation, lastUseMs }: ClientEntry): StickyRecord | undefined {
    const { names, nowMs, wallClockMs } = this.#parts
    const upstream = names.upstreamAt(key.upstreamRow)
    if (upstream === undefined) return undefined
    const leftMs = lastUseMs + upstream.ttlMs - nowMs()
    const backend = names.backendNameOf(incarnation)
    if (leftMs <= 0 || backend === undefined) return undefined
    const expiresAtMs = Math.round(wallClockMs() + leftMs)
    return { upstream: upstream.name, client: clientText(key), backend, expiresAtMs }
  }
}

function idOf({ upstream, client }: StickyRecord): string {
  return `${upstream} ${client}`
}

function* inBatches(records: readonly StickyRecord[]): Iterable<readonly StickyRecord[]> {
  for (let from = 0; from < records.length; from += BATCH_RECORDS) yield records.slice(from, from + BATCH_RECORDS)
}
