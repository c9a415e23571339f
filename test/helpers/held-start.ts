import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { preload } from './preload.ts'
import { temporaryDirectory } from './temporary-directory.ts'
import { waitUntil } from './wait-until.ts'

/**
 * Holds worker threads where they start, so that the start of the program, or a reload that adds a worker, takes as
 * long as a test wants. With `modules` it holds main while it loads the program's modules instead.
 */
export class HeldStart {
  /** For {@link LoadBalancerProcess}. */
  readonly nodeOptions: readonly string[]
  readonly #hold: string
  readonly #held: string

  constructor(t: TestContext, what: 'workers' | 'modules' = 'workers') {
    const directory = temporaryDirectory(t)
    this.#hold = join(directory, 'hold')
    this.#held = join(directory, 'held')
    this.nodeOptions = preload(directory, { workers: holdWorkers, modules: holdModules }[what](this.#hold, this.#held))
  }

  /** From now on workers that start are held. */
  hold(): void {
    rmSync(this.#held, { force: true })
    writeFileSync(this.#hold, '')
  }

  /** Resolves once it is held. Where it is a worker, the program has read the file by then. */
  async held(): Promise<void> {
    await waitUntil('the program is held where it starts', () => existsSync(this.#held), 20_000)
  }

  release(): void {
    rmSync(this.#hold, { force: true })
  }
}

function holdWorkers(hold: string, held: string): string {
  return `import { existsSync, writeFileSync } from 'node:fs'
if (!isMainThread && existsSync(${JSON.stringify(hold)})) {
  writeFileSync(${JSON.stringify(held)}, '')
  const cell = new Int32Array(new SharedArrayBuffer(4))
  while (existsSync(${JSON.stringify(hold)})) Atomics.wait(cell, 0, 0, 5)
}
`
}

function holdModules(hold: string, held: string): string {
  const hooks = `import { existsSync, writeFileSync } from 'node:fs'
export async function resolve(specifier, context, next) {
  if (specifier.endsWith('cli/program.js')) writeFileSync(${JSON.stringify(held)}, '')
  while (specifier.endsWith('cli/program.js') && existsSync(${JSON.stringify(hold)})) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return next(specifier, context)
}`
  return `import { register } from 'node:module'
if (isMainThread) register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hooks)}`)})
`
}
