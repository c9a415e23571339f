import { exitNow } from '../kernel/process.ts'

/** How long threads get to end, and logs to be written, before the process ends all the same. */
const LAST_MOMENT_MS = 1000

/**
 * The one way out of the process. Workers blocked in epoll_wait would keep it alive for ever, whatever main does, so
 * every end goes through {@link exit}: it stops the threads, lets `flush` write what is left, and calls `_exit`.
 */
export class OrderlyExit {
  #stopThreads: () => void = () => {}
  #flush: () => Promise<unknown> = () => Promise.resolve()
  #isExiting = false

  /** Whether the process is about to end. */
  get isExiting(): boolean {
    return this.#isExiting
  }

  /** Names what is to be stopped and flushed, as soon as there is something. */
  register(options: { stopThreads?: () => void; flush?: () => Promise<unknown> }): void {
    this.#stopThreads = options.stopThreads ?? this.#stopThreads
    this.#flush = options.flush ?? this.#flush
  }

  /** Ends the process with `code`, in at most a second. The first call decides. */
  exit(code: number): void {
    if (this.#isExiting) return
    this.#isExiting = true
    setTimeout(() => exitNow(code), LAST_MOMENT_MS)
    attempt(this.#stopThreads)
    let flushed: Promise<unknown> = Promise.resolve()
    attempt(() => {
      flushed = this.#flush()
    })
    flushed.then(
      () => exitNow(code),
      () => exitNow(code),
    )
  }

  /** Ends the process at once. */
  exitAtOnce(code: number): never {
    attempt(this.#stopThreads)
    exitNow(code)
  }
}

/** On the way out nothing may stop us. */
function attempt(action: () => void): void {
  try {
    action()
  } catch {
    // The process ends anyway.
  }
}
