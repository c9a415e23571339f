/** Where helpers leave what is to be done at the end, by {@link atEnd}. The context of a test is one. */
export interface Cleanup {
  after(action: () => unknown): void
}

/** One for programs that are no test; what was left last is done first. */
export class CleanupList implements Cleanup {
  readonly #actions: (() => unknown)[] = []

  after(action: () => unknown): void {
    this.#actions.push(action)
  }

  /** Does everything, whatever some of it throws. @throws AggregateError with what was thrown. */
  async run(): Promise<void> {
    const errors: unknown[] = []
    for (const action of this.#actions.splice(0).reverse()) {
      try {
        await action()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, `At the end: ${errors.join('; ')}`)
  }
}

const lists = new WeakMap<Cleanup, CleanupList>()

/**
 * Leaves an action for the end. The last is done first: a directory goes when the server that writes in it has ended.
 * node:test itself would do the first first, and leave out the others where one throws, whose servers then run on.
 */
export function atEnd(t: Cleanup, action: () => unknown): void {
  listOf(t).after(action)
}

function listOf(t: Cleanup): CleanupList {
  if (t instanceof CleanupList) return t
  let list = lists.get(t)
  if (list === undefined) {
    list = new CleanupList()
    lists.set(t, list)
    t.after(() => list!.run())
  }
  return list
}
