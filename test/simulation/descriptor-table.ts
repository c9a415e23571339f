import type { SimFile } from './sim-file.ts'
import { SimSocket } from './sim-socket.ts'

/** The process's descriptors. A new one has the lowest free number, so that a number that was closed is given at once. */
export class DescriptorTable {
  readonly #files: (SimFile | null)[] = [null, null, null]
  readonly #limit: number
  #lowestFree = 3
  #open = 3
  /** Open descriptors of connections. */
  sockets = 0

  /** `limit` is RLIMIT_NOFILE; 0 to 2 count. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get full(): boolean {
    return this.#open >= this.#limit
  }

  /** Above every open number. */
  get bound(): number {
    return this.#files.length
  }

  at(fd: number): SimFile | null {
    return this.#files[fd] ?? null
  }

  open(file: SimFile): number {
    const fd = this.#lowestFree
    this.#files[fd] = file
    this.#open++
    file.fd = fd
    if (file instanceof SimSocket) this.sockets++
    let next = fd + 1
    while (next < this.#files.length && this.#files[next] !== null) next++
    this.#lowestFree = next
    return fd
  }

  close(file: SimFile): void {
    this.#files[file.fd] = null
    this.#open--
    if (file instanceof SimSocket) this.sockets--
    if (file.fd < this.#lowestFree) this.#lowestFree = file.fd
    file.fd = -1
  }
}
