import type { AccessLogConfig } from '../model/config.ts'
import { decodeAccessRecord } from '../shared/access-record.ts'
import { type AccessFormatter, createAccessFormatter, type RowNames } from './access-log.ts'
import { LineBuffer } from './line-buffer.ts'
import type { Logger } from './logger.ts'
import { Sink } from './sink.ts'

/**
 * Hands every record that waits in the workers' rings to `onRecord`, at most `limit` of them, and returns how many those
 * were. The view is valid during the call only.
 */
export type DrainRecords = (onRecord: (view: DataView, offset: number) => void, limit: number) => number

export interface AccessLogOptions {
  readonly drain: DrainRecords
  readonly names: RowNames
  /** Hears of lost lines, and of records that cannot be formatted. */
  readonly log: Logger
}

const BUSY_INTERVAL_MS = 50
const IDLE_INTERVAL_MS = 200
/** About 10 ms of work. */
const MAX_RECORDS_PER_POLL = 4096
const MAX_BATCH_BYTES = 65_536
/** How often the last drain goes back for more: enough for full rings, and an end for rings that are still written to. */
const MAX_LAST_POLLS = 256
const STOP_TIMEOUT_MS = 1000
const STDOUT = 1

/**
 * Opens the access log that the file asks for, without starting it; undefined for `to: none`. Rejects with
 * MCS_LOG_UNWRITABLE.
 */
export async function openAccessLog(
  config: AccessLogConfig,
  options: AccessLogOptions,
): Promise<AccessLogWriter | undefined> {
  if (config.to === 'none') return undefined
  const sinkOptions = {
    onDrop: ({ lines, error }: { lines: number; error: Error }) =>
      options.log.warn('Lost lines of the access log', { lines, error }),
  }
  const sink = config.to === 'stdout' ? Sink.over(STDOUT, sinkOptions) : await Sink.open(config.to, sinkOptions)
  return new AccessLogWriter(sink, createAccessFormatter(config.format, options.names), options)
}

/**
 * Brings the records of ended connections from the workers' rings to a sink: every 50 ms, and every 200 ms while none
 * come. A poll formats at most 4,096 records; where there are more, the event loop turns and the sink writes in between.
 */
export class AccessLogWriter {
  readonly #sink: Sink
  readonly #format: AccessFormatter
  readonly #drain: DrainRecords
  readonly #log: Logger
  #state: 'opened' | 'started' | 'stopped' = 'opened'
  #intervalMs = BUSY_INTERVAL_MS
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  readonly #batch = new LineBuffer()
  #unformatted = 0

  /** Takes over `sink`, and closes it in the end. */
  constructor(sink: Sink, format: AccessFormatter, options: AccessLogOptions) {
    this.#sink = sink
    this.#format = format
    this.#drain = options.drain
    this.#log = options.log
  }

  /** Lines that were written. */
  get written(): number {
    return this.#sink.written
  }

  /** Lines that were lost. The rings count for themselves what they have no room for. */
  get dropped(): number {
    return this.#sink.dropped + this.#unformatted
  }

  /** Begins to empty the rings. Nobody else may drain them from then on until stop(). */
  start(): void {
    if (this.#state !== 'opened') return
    this.#state = 'started'
    this.#wait()
  }

  /** Empties the rings now, while the rows that their records name still belong to their owners. */
  drain(): void {
    if (this.#state !== 'started') return
    for (let polls = 0; polls < MAX_LAST_POLLS && this.#poll() >= MAX_RECORDS_PER_POLL; polls++) {
      // Full polls leave more behind.
    }
  }

  /** Opens the file again under its name. Rejects with MCS_LOG_UNWRITABLE, and then goes on with the old one. */
  async reopen(): Promise<void> {
    if (this.#state === 'started') this.#poll()
    await this.#sink.reopen()
  }

  /** Drains the rings a last time, where it was started, waits for the lines at most `timeoutMs`, and closes. */
  async stop(timeoutMs: number = STOP_TIMEOUT_MS): Promise<void> {
    const started = this.#state === 'started'
    const end = performance.now() + timeoutMs
    this.#state = 'stopped'
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    for (let polls = 0; started && polls < MAX_LAST_POLLS; polls++) {
      if (this.#poll() < MAX_RECORDS_PER_POLL) break
      if (!(await this.#sink.flush(end - performance.now()))) break
    }
    await this.#sink.close(end - performance.now())
  }

  #wait(): void {
    this.#timer = setTimeout(() => this.#turn(), this.#intervalMs)
    this.#timer.unref()
  }

  #turn(): void {
    const records = this.#poll()
    if (records >= MAX_RECORDS_PER_POLL) {
      void this.#turnAgain()
      return
    }
    this.#intervalMs = records > 0 ? BUSY_INTERVAL_MS : Math.min(2 * this.#intervalMs, IDLE_INTERVAL_MS)
    this.#wait()
  }

  /** Goes on at once, but not before the sink has taken the lines: what it has no room for would be lost. */
  async #turnAgain(): Promise<void> {
    await this.#sink.flush(BUSY_INTERVAL_MS)
    if (this.#state === 'started') this.#immediate = setImmediate(() => this.#turn())
  }

  /** Formats what waits, and returns how many records that were. */
  #poll(): number {
    const records = this.#drain(this.#take, MAX_RECORDS_PER_POLL)
    this.#pass()
    return records
  }

  readonly #take = (view: DataView, offset: number): void => {
    const start = this.#batch.length
    try {
      this.#format(decodeAccessRecord(view, offset), this.#batch)
    } catch (error) {
      this.#batch.cutTo(start)
      if (this.#unformatted++ === 0) this.#log.error('Cannot format an access record', { error })
    }
    if (this.#batch.length >= MAX_BATCH_BYTES) this.#pass()
  }

  #pass(): void {
    if (this.#batch.length > 0) this.#sink.write(this.#batch.take())
  }
}
