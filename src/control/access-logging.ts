import type { AccessLogConfig } from '../model/config.ts'
import { type AccessLogWriter, openAccessLog } from '../observe/access-log-writer.ts'
import type { Logger } from '../observe/logger.ts'
import type { RecordRing } from '../shared/record-ring.ts'
import type { Rows } from './snapshot-builder.ts'

/** The access log across reloads: which writer has it, and how many lines all of them wrote. */
export class AccessLogging {
  readonly #log: Logger
  readonly #rows: () => Rows
  readonly #rings: () => readonly RecordRing[]
  #config: AccessLogConfig = { to: 'none', format: 'json' }
  #writer: AccessLogWriter | undefined
  #written = 0
  #dropped = 0

  constructor(log: Logger, rows: () => Rows, rings: () => readonly RecordRing[]) {
    this.#log = log
    this.#rows = rows
    this.#rings = rings
  }

  /**
   * Opens the log that a new configuration asks for. The result starts it in the place of the present one, or gives it
   * up. Rejects with MCS_LOG_UNWRITABLE.
   */
  async prepare(config: AccessLogConfig): Promise<{ commit(): Promise<void>; undo(): void }> {
    const unchanged = config.to === this.#config.to && config.format === this.#config.format
    if (unchanged) return { commit: async () => {}, undo: () => {} }
    const next = await openAccessLog(config, {
      drain: (onRecord, limit) => this.#drainRings(onRecord, limit),
      names: {
        listener: (row) => this.#rows().listeners.nameOf(row),
        upstream: (row) => this.#rows().upstreams.nameOf(row),
        backend: (id) => this.#rows().backends.nameOfId(id) ?? 'unknown',
      },
      log: this.#log,
    })
    return {
      commit: async () => {
        if (this.#writer === undefined) this.#drainRings(discard, Number.POSITIVE_INFINITY)
        else await this.stop()
        this.#config = config
        this.#writer = next
        next?.start()
      },
      undo: () => void next?.stop(),
    }
  }

  /**
   * Brings what workers have recorded to the log now. Without a log the records are dropped: connections that were
   * accepted while there was one still write them, and a later log would name them after the next owners of their rows.
   */
  drain(): void {
    if (this.#writer !== undefined) this.#writer.drain()
    else this.#drainRings(() => {}, Number.POSITIVE_INFINITY)
  }

  async reopen(): Promise<void> {
    await this.#writer?.reopen()
  }

  /** Writes what is left, and closes. */
  async stop(): Promise<void> {
    const writer = this.#writer
    if (writer === undefined) return
    this.#writer = undefined
    await writer.stop()
    this.#written += writer.written
    this.#dropped += writer.dropped
  }

  get written(): number {
    return this.#written + (this.#writer?.written ?? 0)
  }

  /** Lines lost in the log, and records lost because a ring was full. */
  get dropped(): number {
    const inRings = this.#rings().reduce((sum, ring) => sum + ring.dropped(), 0)
    return this.#dropped + (this.#writer?.dropped ?? 0) + inRings
  }

  #drainRings(onRecord: (view: DataView, offset: number) => void, limit: number): number {
    let count = 0
    for (const ring of this.#rings()) {
      count += ring.drain(onRecord, limit - count)
      if (count >= limit) break
    }
    return count
  }
}

/** Records of the moment in which a log was turned off: the next one must not have them, under names that are gone. */
function discard(): void {}
