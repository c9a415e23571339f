import { McsError } from '../model/errors.ts'
import type { Logger } from '../observe/logger.ts'
import { type StickyRecord, toStickyRecord } from './sticky-record.ts'
import { MAX_STORED_RECORDS, type StickyStore } from './sticky-store.ts'

/** How often what is over is looked for and removed, and how often at most where the hash is full. */
const SWEEP_INTERVAL_MS = 600_000
const FULL_SWEEP_INTERVAL_MS = 60_000

/** A hash of another process, such as one in Redis. Each call has a deadline of its own, and rejects when it passes. */
export interface HashStore {
  /** All fields, in batches; a field may come twice, and one that changes meanwhile may come or not. */
  readAll(): AsyncIterable<ReadonlyMap<string, string>>
  /** Sets fields, at most as many as one batch of records has. */
  write(changes: ReadonlyMap<string, string>): Promise<void>
  remove(fields: readonly string[]): Promise<void>
  /** How many fields there are. */
  size(): Promise<number>
}

export interface StickyHashOptions {
  /** What it is called in messages: no URL, as that may carry a password. */
  readonly name: string
  /** Fields at which nothing more is written until some are over. */
  readonly maxFields: number
  readonly log: Logger
  wallClockMs(): number
}

/**
 * Keeps sticky entries in a hash, one field for each client. Fields end by their own times, so several processes may
 * share one hash, and what one of them leaves behind is removed by any.
 *
 * ```
 * field   chat 192.0.2.1                   upstream, client
 * value   1767225600000 10.0.0.1:9100      when it is over, ms since 1970; backend
 * ```
 */
export function createStickyHash(hash: HashStore, options: StickyHashOptions): StickyStore {
  let sweptAtMs = Number.NEGATIVE_INFINITY

  async function* load(): AsyncIterable<readonly StickyRecord[]> {
    let [count, damaged] = [0, 0]
    sweptAtMs = options.wallClockMs()
    for await (const fields of hash.readAll()) {
      const { records, over } = sort(fields, sweptAtMs)
      count += fields.size
      damaged += fields.size - records.length - over.length
      if (over.length > 0) await hash.remove(over)
      yield records
      if (count > MAX_STORED_RECORDS) break
    }
    if (damaged > 0)
      options.log.warn('Left out damaged fields of sticky entries', { hash: options.name, fields: damaged })
  }

  async function sweep(): Promise<void> {
    sweptAtMs = options.wallClockMs()
    for await (const fields of hash.readAll()) {
      const { over } = sort(fields, options.wallClockMs())
      if (over.length > 0) await hash.remove(over)
    }
  }

  async function makeRoom(): Promise<void> {
    if ((await hash.size()) < options.maxFields) return
    if (options.wallClockMs() - sweptAtMs >= FULL_SWEEP_INTERVAL_MS) await sweep()
    if ((await hash.size()) >= options.maxFields) throw new Error(`it has ${options.maxFields} fields or more`)
  }

  async function save(batches: AsyncIterable<readonly StickyRecord[]>): Promise<void> {
    if (options.wallClockMs() - sweptAtMs >= SWEEP_INTERVAL_MS) await sweep()
    for await (const records of batches) {
      if (records.length === 0) continue
      await makeRoom()
      await hash.write(new Map(records.map(toField)))
    }
  }

  return {
    takes: 'changes',
    async *load() {
      try {
        yield* load()
      } catch (error) {
        throw failed('read', options.name, error)
      }
    },
    async save(batches) {
      await save(batches).catch((error: unknown) => {
        throw failed('write', options.name, error)
      })
    },
  }
}

function sort(fields: ReadonlyMap<string, string>, nowMs: number): { records: StickyRecord[]; over: string[] } {
  const records: StickyRecord[] = []
  const over: string[] = []
  for (const [field, value] of fields) {
    const record = fromField(field, value)
    if (record === undefined) continue
    if (record.expiresAtMs > nowMs) records.push(record)
    else over.push(field)
  }
  return { records, over }
}

function toField({ upstream, client, backend, expiresAtMs }: StickyRecord): [string, string] {
  return [`${upstream} ${client}`, `${expiresAtMs} ${backend}`]
}

/** Undefined where it is none of ours. A client has no blank in it, and neither has a number. */
function fromField(field: string, value: string): StickyRecord | undefined {
  const [end, start] = [field.lastIndexOf(' '), value.indexOf(' ')]
  if (end < 0 || !/^\d{1,16} /.test(value)) return undefined
  return toStickyRecord(
    field.slice(0, end),
    field.slice(end + 1),
    value.slice(start + 1),
    Number(value.slice(0, start)),
  )
}

/** Without the cause: a client's error may carry the command that failed, and with it a password. */
function failed(action: 'read' | 'write', name: string, cause: unknown): McsError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new McsError(
    'MCS_SYSTEM',
    `Cannot ${action} the sticky entries in ${name}: ${reason}; entries are kept in memory, and it is tried again`,
    {
      source: 'system',
      retryable: true,
    },
  )
}
