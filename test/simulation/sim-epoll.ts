import { EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN } from '#src/kernel/constants.js'
import type { EpollEvents } from '#src/kernel/kernel.js'
import type { Hostility } from './adversary.ts'
import type { Random } from './random.ts'
import { SimFile, type Watcher } from './sim-file.ts'
import { SimSocket } from './sim-socket.ts'

/**
 * An epoll instance: a list of files that were woken. What is reported for a file is what holds when the batch is taken,
 * so wakeups merge; a level-triggered file that was reported stands in the list again, an edge-triggered one does not.
 */
export class SimEpoll extends SimFile implements Watcher {
  readonly label = 'epoll'
  readonly ready: SimFile[] = []
  watched = 0

  poll(): number {
    return this.ready.length > 0 ? EPOLLIN : 0
  }

  enqueue(file: SimFile): void {
    file.queued = true
    this.ready.push(file)
  }

  /** EPOLL_CTL_ADD and MOD: the interest is set, and readiness that already holds is reported. */
  arm(file: SimFile, mask: number, low: number, high: number): void {
    file.mask = mask
    file.low = low
    file.high = high
    if (!file.queued && (file.poll() & (mask | EPOLLERR | EPOLLHUP)) !== 0) this.enqueue(file)
  }

  /** EPOLL_CTL_DEL, and what close(2) does. */
  forget(file: SimFile): void {
    if (file.queued) this.ready.splice(this.ready.indexOf(file), 1)
    file.queued = false
    file.watcher = null
    this.watched--
  }

  /** Fills `events` with what is ready and returns how many there are; 0 when every wakeup proved void. */
  collect(events: EpollEvents, hostility: Hostility, random: Random): number {
    const { ready } = this
    if (hostility.shuffleEvents) shuffle(ready, random)
    const size = ready.length
    let count = 0
    let kept = 0
    for (let i = 0; i < size; i++) {
      const file = ready[i] as SimFile
      const late = random.chance(hostility.delayEvent) && (count > 0 || i < size - 1)
      if (count === events.capacity || late) {
        ready[kept++] = file
        continue
      }
      const mask = this.#report(file, hostility, random)
      if (mask !== 0) write(events, count++, mask, file)
      if (mask !== 0 && (file.mask & EPOLLET) === 0) ready[kept++] = file
      else file.queued = false
    }
    ready.length = kept
    return count
  }

  #report(file: SimFile, hostility: Hostility, random: Random): number {
    let mask = file.poll()
    // A socket may be called readable and then have nothing to read, as select(2) warns.
    if (file instanceof SimSocket && file.established && random.chance(hostility.spuriousEvent)) mask |= EPOLLIN
    return mask & (file.mask | EPOLLERR | EPOLLHUP)
  }
}

function write(events: EpollEvents, index: number, mask: number, file: SimFile): void {
  const at = index * events.stride
  events.words[at] = mask
  events.words[at + events.dataWord] = file.low
  events.words[at + events.dataWord + 1] = file.high
}

function shuffle(files: SimFile[], random: Random): void {
  for (let i = files.length - 1; i > 0; i--) {
    const other = random.below(i + 1)
    const kept = files[i] as SimFile
    files[i] = files[other] as SimFile
    files[other] = kept
  }
}
