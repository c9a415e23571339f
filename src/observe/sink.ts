import { write } from 'node:fs'
import { McsError } from '../model/errors.ts'
import { type DropReport, DropReporter } from './drop-reporter.ts'
import { countLines, endOfCutLine, LineQueue } from './line-queue.ts'
import { closeQuietly, openLogFile, openUnblocked } from './log-file.ts'

export interface SinkOptions {
  /** Most bytes that wait to be written; lines past them are dropped. 4 MiB by default. */
  readonly maxPendingBytes?: number
  /** Lost lines are reported at most this often. 10 s by default. */
  readonly reportIntervalMs?: number
  /** Pause before a pipe that was full is tried again. 50 ms by default. */
  readonly retryMs?: number
  /** Hears of lost lines. What it throws is lost too. */
  readonly onDrop?: (report: DropReport) => void
}

const MAX_PENDING_BYTES = 4 * 1024 * 1024
const MAX_WRITE_BYTES = 1024 * 1024
const REPORT_INTERVAL_MS = 10_000
const RETRY_MS = 50
const CLOSE_TIMEOUT_MS = 1000
const REOPEN_TIMEOUT_MS = 5000

/**
 * Takes whole lines and writes them to a file or descriptor in the background, in order. A stuck pipe or a full disk
 * loses lines and never blocks: one write is in flight at a time, in Node's thread pool, and what waits is bounded.
 *
 * ```
 *   write() ──► #queue ──► #current ──write(2)──► #fd
 *     │ full      at most 1 MiB is joined    │ error
 *     └──► dropped ◄─────────────────────────┘ but the rest of a line that is half written is kept in #torn,
 *                                              and goes first with the next write
 * ```
 */
export class Sink {
  /** Where it writes, for messages: a quoted path, or `descriptor 1`. */
  readonly name: string
  readonly #path: string | undefined
  readonly #maxPendingBytes: number
  readonly #retryMs: number
  readonly #reporter: DropReporter
  readonly #queue = new LineQueue()
  readonly #waiters: { readonly at: number; readonly settled: () => void }[] = []
  #fd: number
  /** The file as it was last opened again, while lines that were taken before wait for the present one. */
  #reopened: { fd: number; readonly switched: Promise<void> } | undefined
  #owned: boolean
  #state: 'open' | 'closing' | 'closed' = 'open'
  /** Bytes ever taken, and how many of them are written or lost: the difference is pending. */
  #takenBytes = 0
  #settledBytes = 0
  #current: Buffer | undefined
  #offset = 0
  #torn: Buffer | undefined
  #retry: NodeJS.Timeout | undefined
  #writtenLines = 0
  #droppedLines = 0

  private constructor(target: { fd: number; owned: boolean; path?: string; name: string }, options: SinkOptions) {
    this.name = target.name
    this.#path = target.path
    this.#fd = target.fd
    this.#owned = target.owned
    this.#maxPendingBytes = options.maxPendingBytes ?? MAX_PENDING_BYTES
    this.#retryMs = options.retryMs ?? RETRY_MS
    this.#reporter = new DropReporter(options.reportIntervalMs ?? REPORT_INTERVAL_MS, options.onDrop ?? (() => {}))
  }

  /** A sink that appends to the file at `path`. Rejects with MCS_LOG_UNWRITABLE. */
  static async open(path: string, options: SinkOptions = {}): Promise<Sink> {
    return new Sink({ fd: await openLogFile(path), owned: true, path, name: JSON.stringify(path) }, options)
  }

  /** A sink over an open descriptor, 1 or 2, which stays open when the sink is closed. */
  static over(fd: number, options: SinkOptions = {}): Sink {
    const unblocked = openUnblocked(fd)
    return new Sink({ fd: unblocked, owned: unblocked !== fd, name: `descriptor ${fd}` }, options)
  }

  /** Lines that were written. */
  get written(): number {
    return this.#writtenLines
  }

  /** Lines that were lost: to an error, to the bound on pending bytes, or to having been closed. */
  get dropped(): number {
    return this.#droppedLines
  }

  /** Takes one or more whole lines, each ending with a newline. A buffer is kept, and must not change afterwards. */
  write(lines: string | Buffer): void {
    const bytes = typeof lines === 'string' ? Buffer.from(lines) : lines
    if (bytes.length === 0) return
    const pendingBytes = this.#takenBytes - this.#settledBytes
    if (this.#state !== 'open') {
      this.#drop(bytes, 'it is closed')
    } else if (pendingBytes + bytes.length > this.#maxPendingBytes) {
      this.#drop(bytes, `${pendingBytes} bytes wait for it already; see why it takes none`)
    } else {
      this.#takenBytes += bytes.length
      this.#queue.push(bytes)
      if (this.#current === undefined) this.#next()
    }
  }

  /** Resolves with true when all that was taken is written or lost, and with false when `timeoutMs` pass before. */
  async flush(timeoutMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    if (this.#takenBytes === this.#settledBytes) return true
    let timer: NodeJS.Timeout | undefined
    const settled = new Promise<boolean>((resolve) => {
      this.#waiters.push({ at: this.#takenBytes, settled: () => resolve(true) })
      if (timeoutMs !== Number.POSITIVE_INFINITY) timer = setTimeout(resolve, timeoutMs, false)
    })
    return settled.finally(() => clearTimeout(timer))
  }

  /**
   * Opens the file again under its name, and goes over to it when all that was taken before is written. Of several
   * that wait for that, the latest has the file that all of them go over to. Does nothing to a descriptor.
   *
   * Rejects with MCS_LOG_UNWRITABLE where the file cannot be opened, and then goes on with the one it has; and where
   * that has not taken what was for it within `timeoutMs` (5 s), and then goes over all the same when it has.
   */
  async reopen(timeoutMs = REOPEN_TIMEOUT_MS): Promise<void> {
    if (this.#path === undefined) return
    const fd = await openLogFile(this.#path)
    if (this.#takenBytes === this.#settledBytes) return this.#switchTo(fd)
    if (this.#reopened === undefined) {
      this.#reopened = { fd, switched: this.#switchWhenSettled() }
    } else {
      // A stuck pipe may never take what waits for it: there is one descriptor for all that ask meanwhile.
      closeQuietly(this.#reopened.fd)
      this.#reopened.fd = fd
    }
    if (!(await settlesWithin(this.#reopened.switched, timeoutMs))) throw this.#isLate()
  }

  /** Writes what was taken, for at most `timeoutMs` (1 s), loses the rest, and closes what it opened. */
  async close(timeoutMs = CLOSE_TIMEOUT_MS): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    await this.flush(timeoutMs)
    this.#state = 'closed'
    this.#loseQueue()
    if (this.#retry !== undefined) this.#failed(new Error('it was closed first'))
    // A write that is still in flight needs the descriptor, whose number would be given to another file.
    if (this.#current === undefined) this.#release()
    this.#reporter.close()
  }

  #next(): void {
    const current = this.#queue.take(MAX_WRITE_BYTES, this.#torn)
    if (current === undefined) return
    this.#current = current
    this.#offset = 0
    this.#write(current)
  }

  #write(current: Buffer): void {
    write(this.#fd, current, this.#offset, current.length - this.#offset, null, (error, count) => {
      if (error === null && count > 0) this.#wrote(current, count)
      else if (error?.code === 'EAGAIN' && this.#state !== 'closed') this.#writeLater(current)
      else this.#failed(error ?? new Error('write returned 0'))
    })
  }

  #wrote(current: Buffer, count: number): void {
    this.#offset += count
    if (this.#offset < current.length) this.#write(current)
    else this.#settle(undefined)
  }

  #writeLater(current: Buffer): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#write(current)
    }, this.#retryMs)
  }

  #failed(error: Error): void {
    const current = this.#current!
    const end = endOfCutLine(current, this.#offset, this.#torn !== undefined)
    // A copy, because a slice would keep all of the lines that are lost.
    const torn = end === this.#offset ? undefined : Buffer.from(current.subarray(this.#offset, end))
    this.#settle(torn)
    this.#drop(current.subarray(end), error.message, error)
  }

  /** Ends the write of the current lines; `torn` is what has still to be written of a line. */
  #settle(torn: Buffer | undefined): void {
    const current = this.#current!
    this.#writtenLines += countLines(current.subarray(0, this.#offset))
    this.#settledBytes += current.length - (this.#torn?.length ?? 0)
    this.#torn = torn
    this.#current = undefined
    clearTimeout(this.#retry)
    this.#retry = undefined
    while (this.#waiters.length > 0 && this.#waiters[0]!.at <= this.#settledBytes) this.#waiters.shift()!.settled()
    if (this.#state === 'closed') this.#release()
    else this.#next()
  }

  /** Goes over to the reopened file when all that is taken by now is written or lost. */
  #switchWhenSettled(): Promise<void> {
    return new Promise((resolve) => {
      const settled = () => {
        const { fd } = this.#reopened!
        this.#reopened = undefined
        resolve(this.#switchTo(fd))
      }
      this.#waiters.push({ at: this.#takenBytes, settled })
    })
  }

  /** Called between two writes only. */
  #switchTo(fd: number): void {
    if (this.#state === 'closed') {
      closeQuietly(fd)
      return
    }
    this.#release()
    this.#fd = fd
    this.#owned = true
  }

  #isLate(): McsError {
    const pendingBytes = this.#takenBytes - this.#settledBytes
    const message = `Cannot go on in the new log file ${this.name} yet: ${pendingBytes} bytes wait for the earlier one`
    const remedy = 'look at what reads that; the new one is opened, and comes after them by itself'
    return new McsError('MCS_LOG_UNWRITABLE', `${message}; ${remedy}`, { source: 'system', retryable: true })
  }

  #release(): void {
    if (this.#torn !== undefined) this.#drop(this.#torn, 'a half-written line could not be finished')
    this.#torn = undefined
    if (this.#owned) closeQuietly(this.#fd)
    this.#owned = false
  }

  #loseQueue(): void {
    const lines = this.#queue.take(Number.POSITIVE_INFINITY, undefined)
    if (lines === undefined) return
    this.#settledBytes += lines.length
    this.#drop(lines, 'it was closed first')
  }

  #drop(lines: Buffer, why: string, cause?: Error): void {
    const count = countLines(lines)
    if (count === 0) return
    this.#droppedLines += count
    const options = { source: 'system', retryable: true, cause } as const
    this.#reporter.add(count, new McsError('MCS_SYSTEM', `Cannot write log lines to ${this.name}: ${why}`, options))
  }
}

function settlesWithin(promise: Promise<void>, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, timeoutMs, false)
    void promise.then(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
