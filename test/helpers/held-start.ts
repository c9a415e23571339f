import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { preload } from './preload.ts'
import { temporaryDirectory } from './temporary-directory.ts'
import { waitUntil } from './wait-until.ts'

/**
 * Holds worker threads where they start, so that the start of the program, or a reload that adds a worker, takes as
 * long as a test wants.
 */
export class HeldStart {
  /** For {@link LoadBalancerProcess}. */
  readonly nodeOptions: readonly string[]
  readonly #hold: string
  readonly #held: string

  constructor(t: TestContext) {
    const directory = temporaryDirectory(t)
    this.#hold = join(directory, 'hold')
    this.#held = join(directory, 'held')
    this.nodeOptions = preload(
      directory,
      `import { existsSync, writeFileSync } from 'node:fs'
if (!isMainThread && existsSync(${JSON.stringify(this.#hold)})) {
  writeFileSync(${JSON.stringify(this.#held)}, '')
  const cell = new Int32Array(new SharedArrayBuffer(4))
  while (existsSync(${JSON.stringify(this.#hold)})) Atomics.wait(cell, 0, 0, 5)
}
`,
    )
  }

  /** From now on workers that start are held. */
  hold(): void {
    rmSync(this.#held, { force: true })
    writeFileSync(this.#hold, '')
  }

  /** Resolves once a worker is held. The program has read the file by then. */
  async held(): Promise<void> {
    await waitUntil('a worker is held where it starts', () => existsSync(this.#held), 20_000)
  }

  release(): void {
    rmSync(this.#hold, { force: true })
  }
}
