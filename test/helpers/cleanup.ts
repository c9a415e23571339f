/** Where helpers leave what is to be done at the end. The context of a test is one. */
export interface Cleanup {
  after(action: () => unknown): void
}

/** One for programs that are no test; what was left last is done first. */
export class CleanupList implements Cleanup {
  readonly #actions: (() => unknown)[] = []

  after(action: () => unknown): void {
    this.#actions.push(action)
  }

  async run(): Promise<void> {
    for (const action of this.#actions.splice(0).reverse()) await action()
  }
}
