import { EPOLLERR, EPOLLHUP } from '#src/kernel/constants.js'

/** What takes a file's wakeups: an epoll instance. */
export interface Watcher {
  enqueue(file: SimFile): void
}

/** Anything that has a descriptor number and may be watched by an epoll instance. One instance each is enough here. */
export abstract class SimFile {
  fd = -1
  watcher: Watcher | null = null
  /** Whether it stands in its watcher's list of ready files. */
  queued = false
  /** The interest as EPOLL_CTL_ADD or MOD gave it. */
  mask = 0
  low = 0
  high = 0

  /** For traces and messages: `client 3`, `listener 0`. */
  abstract get label(): string

  /** What poll(2) would say at this moment, whatever the interest. */
  abstract poll(): number

  /**
   * A wakeup, as the kernel's wait queues give it: the watcher hears it when `key` is in the interest; zero is a change of
   * state, which is always heard. What is reported is decided later, by {@link poll}.
   */
  wake(key: number): void {
    if (this.watcher === null || this.queued) return
    if (key === 0 || (key & (this.mask | EPOLLERR | EPOLLHUP)) !== 0) this.watcher.enqueue(this)
  }
}
