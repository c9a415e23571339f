import type { McsError } from '../model/errors.ts'

/** Lines that were lost since the last report, and why the newest of them was. */
export interface DropReport {
  readonly lines: number
  readonly error: McsError
}

/**
 * Tells about lost lines at once, and then at most once every `intervalMs`: a full disk loses thousands of lines a
 * second, and each report is itself a line.
 */
export class DropReporter {
  readonly #intervalMs: number
  readonly #report: (report: DropReport) => void
  #lines = 0
  #error: McsError | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(intervalMs: number, report: (report: DropReport) => void) {
    this.#intervalMs = intervalMs
    this.#report = report
  }

  /** Notes that `lines` were lost to `error`. May call the report function before it returns. */
  add(lines: number, error: McsError): void {
    this.#lines += lines
    this.#error = error
    if (this.#timer === undefined) this.#tell()
  }

  /** Reports what is still untold, and no more from then on. */
  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#error !== undefined) this.#tell()
    clearTimeout(this.#timer)
  }

  #tell(): void {
    const error = this.#error
    this.#timer = undefined
    if (error === undefined) return
    const lines = this.#lines
    this.#lines = 0
    this.#error = undefined
    // Armed before the call, which may lose a line of its own and come back here.
    this.#timer = setTimeout(() => this.#tell(), this.#intervalMs)
    this.#timer.unref()
    try {
      this.#report({ lines, error })
    } catch {
      // The listener is a log, and there is nobody left to tell.
    }
  }
}
