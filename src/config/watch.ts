import { createHash } from 'node:crypto'
import { closeSync, constants, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { basename } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { maxFileBytes } from './read-text.ts'
import { followChain } from './watch-chain.ts'

export interface WatchOptions {
  /** How long the file must be quiet before it is looked at. */
  readonly debounceMs: number
  /** How often it is looked at without any event, as network file systems give none; Infinity for never. */
  readonly pollMs?: number
  /** {@link digestOf} the content that is served already; what the file holds now unless given. */
  readonly served?: string | undefined
  /** Called once when the file is gone, and again only after it was back. */
  readonly onGone?: () => void
}

/** A running watch. */
export interface ConfigWatch {
  /** Ends it; `onChange` is not called again. */
  close(): Promise<void>
}

const defaultPollMs = 5000
/** Debounce times after which a file is looked at although it is still being written. */
const maxDebounces = 10
/** Events of other files in the folder within a second: with more of them the file is polled for a while instead. */
const noisyEvents = 20
const noisyMs = 60_000
const noisyPollMs = 250

/**
 * Calls `onChange` after the content of a file has changed, in whatever way: written in place, replaced by a rename,
 * reached by another symbolic link. A burst is one call. A file that is gone is waited for, and content that is the
 * same as before is no change. What counts as before is read within this call, so watch first and load then; or give
 * `served`, taken before the file was loaded.
 */
export function watchConfig(file: string, options: WatchOptions, onChange: () => void): ConfigWatch {
  return new FileWatch(file, options, onChange)
}

class FileWatch implements ConfigWatch {
  readonly #file: string
  readonly #debounceMs: number
  readonly #onChange: () => void
  readonly #onGone: () => void
  readonly #poll: NodeJS.Timeout | undefined
  #content: string | undefined
  /** What a poll has found last. */
  #polled: string | undefined
  #isGone = false
  #identity = ''
  #watcher: FSWatcher | undefined
  #debounce: NodeJS.Timeout | undefined
  /** When a look is due although events go on; undefined where none is waited for. */
  #lookBeforeMs: number | undefined
  /** Events of other files since then. */
  #others = 0
  #othersSinceMs = 0
  /** While the folder is too noisy to be watched. */
  #noisy: { readonly end: NodeJS.Timeout; readonly poll: NodeJS.Timeout } | undefined
  #closed = false
  readonly #closing = new Set<Promise<void>>()

  constructor(file: string, options: WatchOptions, onChange: () => void) {
    const { debounceMs, pollMs = defaultPollMs, served, onGone = () => {} } = options
    this.#file = file
    this.#debounceMs = debounceMs
    this.#onChange = onChange
    this.#onGone = onGone
    this.#content = served ?? digestOf(file)
    this.#follow()
    if (Number.isFinite(pollMs)) this.#poll = setInterval(() => this.#lookForChange(), pollMs)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#poll)
    clearTimeout(this.#debounce)
    this.#endNoise()
    this.#release()
    await Promise.all(this.#closing)
  }

  /** Watches the folders and links on the way to the file anew when any of them is another than before. */
  #follow(): void {
    if (this.#noisy !== undefined) return
    const chain = followChain(this.#file)
    if (chain.identity === this.#identity) return
    this.#identity = chain.identity
    this.#release()
    const wanted = new Set([...chain.folders, ...chain.entries])
    const watcher = watch([...wanted], {
      depth: 0,
      ignoreInitial: true,
      followSymlinks: false,
      ignorePermissionErrors: true,
      atomic: false,
      ignored: (path) => !wanted.has(path),
    })
    // 'raw' comes for every event of the kernel, also for those that chokidar makes nothing of. Other files of the
    // folder may change all the time; they are left out.
    const names = new Set([...wanted].flatMap((path) => path.split('/')))
    watcher.on('raw', (event, path) => {
      if (path && !names.has(basename(path))) return this.#noteOther()
      // What came or went may be watched under an inode number that was given away again.
      if (event === 'rename') this.#identity = ''
      this.#schedule()
    })
    watcher.on('all', () => this.#schedule())
    // A change between the first look and the start of the watch gives no event.
    watcher.on('ready', () => this.#schedule())
    // Without watches (no inotify instance left, say) the file is still looked at every pollMs.
    watcher.on('error', () => {})
    this.#watcher = watcher
  }

  /**
   * Another file of a folder has changed. At each such event chokidar goes through all that is in the folder, which costs
   * a core where there are thousands of files and one is a busy log.
   */
  #noteOther(): void {
    const now = performance.now()
    if (now - this.#othersSinceMs >= 1000) [this.#othersSinceMs, this.#others] = [now, 0]
    this.#others++
    if (this.#others < noisyEvents || this.#noisy !== undefined || this.#closed) return
    this.#release()
    this.#identity = ''
    const end = setTimeout(() => {
      this.#endNoise()
      this.#follow()
    }, noisyMs)
    this.#noisy = { end, poll: setInterval(() => this.#lookForChange(), noisyPollMs) }
  }

  #endNoise(): void {
    clearTimeout(this.#noisy?.end)
    clearInterval(this.#noisy?.poll)
    this.#noisy = undefined
  }

  #release(): void {
    const closing = this.#watcher?.close()
    this.#watcher = undefined
    if (closing === undefined) return
    this.#closing.add(closing)
    void closing.finally(() => this.#closing.delete(closing))
  }

  /** Every event starts the wait again, so that a burst ends in one look; one without an end is cut short. */
  #schedule(): void {
    if (this.#closed) return
    const now = performance.now()
    this.#lookBeforeMs ??= now + maxDebounces * this.#debounceMs
    clearTimeout(this.#debounce)
    this.#debounce = setTimeout(() => this.#look(), Math.min(this.#debounceMs, Math.max(0, this.#lookBeforeMs - now)))
  }

  /** The poll's look: it only starts the wait, so that a file that is being written is not read half way. */
  #lookForChange(): void {
    const content = digestOf(this.#file)
    const isNews = content === undefined ? !this.#isGone : content !== this.#content
    // One that is waited for already is not waited for anew.
    const isKnown = this.#lookBeforeMs !== undefined && content === this.#polled
    this.#polled = content
    if (isNews && !isKnown) this.#schedule()
  }

  #look(): void {
    this.#lookBeforeMs = undefined
    if (this.#closed) return
    this.#follow()
    const content = digestOf(this.#file)
    this.#lookForEnd()
    if (content === undefined || content === this.#content) return
    this.#content = content
    this.#onChange()
  }

  #lookForEnd(): void {
    const wasGone = this.#isGone
    this.#isGone = !existsSync(this.#file)
    if (this.#isGone && !wasGone) this.#onGone()
  }
}

/** A digest of what the file holds, up to the size that is read; undefined where it cannot be read. */
export function digestOf(file: string): string | undefined {
  let descriptor: number | undefined
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) return undefined
    const buffer = Buffer.alloc(Math.min(stat.size, maxFileBytes + 1))
    const length = readSync(descriptor, buffer, 0, buffer.length, 0)
    return createHash('sha256').update(buffer.subarray(0, length)).digest('hex')
  } catch {
    return undefined
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
