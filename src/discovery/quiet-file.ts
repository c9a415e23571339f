import { statSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { readBoundedFile } from './bounded-file.ts'

export interface QuietFileOptions {
  readonly maxBytes: number
  /** How long nothing must have been written to it. */
  readonly quietMs: number
  /** Longest time for that. */
  readonly timeoutMs: number
}

/** What tells one state of a file from another. */
interface Stamp {
  readonly inode: number
  readonly size: number
  readonly changedMs: number
}

/**
 * Reads a file that others write, and never one that is half written as far as that can be told: each prefix of a list in
 * YAML is a list. A file that was put in place of another is whole where it ends as one does; what is written in place,
 * and what has no end, must be quiet first.
 */
export class QuietFile {
  readonly #path: string
  readonly #options: QuietFileOptions
  readonly #closing = new AbortController()
  /** Of the text that was read last. */
  #stamp: Stamp | undefined

  constructor(path: string, options: QuietFileOptions) {
    this.#path = path
    this.#options = options
  }

  /** Rejects with what `fs` throws, with the reason where the file is no text for us, and when it is closed. */
  async read(): Promise<string> {
    const { maxBytes, quietMs, timeoutMs } = this.#options
    const endMs = performance.now() + timeoutMs
    let quiet: Stamp | undefined
    for (;;) {
      const stamp = stampOf(this.#path)
      const text = readBoundedFile(this.#path, maxBytes)
      if (isSame(stamp, stampOf(this.#path)) && (isSame(stamp, quiet) || this.#isWhole(text, stamp))) {
        this.#stamp = stamp
        return text
      }
      if (performance.now() >= endMs) throw new Error('it is written to all the time; replace it by a rename')
      quiet = stamp
      await pause(quietMs, undefined, { signal: this.#closing.signal })
    }
  }

  /** Ends a read that waits. */
  close(): void {
    this.#closing.abort()
  }

  #isWhole(text: string, stamp: Stamp): boolean {
    if (isSame(stamp, this.#stamp)) return true
    const ageMs = Date.now() - stamp.changedMs
    if (ageMs >= this.#options.quietMs) return true
    return stamp.inode !== this.#stamp?.inode && /[\n\]]$/.test(text)
  }
}

function stampOf(path: string): Stamp {
  const { ino, size, mtimeMs } = statSync(path)
  return { inode: ino, size, changedMs: mtimeMs }
}

function isSame(stamp: Stamp, other: Stamp | undefined): boolean {
  return stamp.inode === other?.inode && stamp.size === other.size && stamp.changedMs === other.changedMs
}
