/** Something that happens at a moment of virtual time; `kind` says what, so that no closure is needed. */
export interface Timed {
  fire(kind: number): void
}

/** What is to happen, earliest first; of equal times the one that was added first. A binary heap in parallel arrays. */
export class Timeline {
  readonly #times: number[] = []
  readonly #order: number[] = []
  readonly #kinds: number[] = []
  readonly #targets: Timed[] = []
  #added = 0

  /** When the first happens, Infinity when nothing will. */
  get nextMs(): number {
    return this.#times.length === 0 ? Number.POSITIVE_INFINITY : (this.#times[0] as number)
  }

  get size(): number {
    return this.#times.length
  }

  add(atMs: number, target: Timed, kind: number): void {
    this.#times.push(atMs)
    this.#order.push(this.#added++)
    this.#kinds.push(kind)
    this.#targets.push(target)
    this.#rise(this.#times.length - 1)
  }

  /** Lets the first happen. */
  fireNext(): void {
    const target = this.#targets[0] as Timed
    const kind = this.#kinds[0] as number
    const last = this.#times.length - 1
    this.#swap(0, last)
    this.#times.pop()
    this.#order.pop()
    this.#kinds.pop()
    this.#targets.pop()
    this.#sink(0)
    target.fire(kind)
  }

  #rise(start: number): void {
    let at = start
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #sink(start: number): void {
    const size = this.#times.length
    let at = start
    for (;;) {
      const left = 2 * at + 1
      if (left >= size) return
      const right = left + 1
      const least = right < size && this.#before(right, left) ? right : left
      if (!this.#before(least, at)) return
      this.#swap(at, least)
      at = least
    }
  }

  #before(a: number, b: number): boolean {
    const difference = (this.#times[a] as number) - (this.#times[b] as number)
    return difference !== 0 ? difference < 0 : (this.#order[a] as number) < (this.#order[b] as number)
  }

  #swap(a: number, b: number): void {
    swap(this.#times, a, b)
    swap(this.#order, a, b)
    swap(this.#kinds, a, b)
    swap(this.#targets, a, b)
  }
}

function swap<T>(array: T[], a: number, b: number): void {
  const kept = array[a] as T
  array[a] = array[b] as T
  array[b] = kept
}
