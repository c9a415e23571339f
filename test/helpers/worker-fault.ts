import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { preload } from './preload.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/**
 * Has a worker throw, or hang, when it next moves bytes. The one whose connection the test sends on is the one that is
 * hit; for each {@link arm} it is one.
 */
export class WorkerFault {
  /** For {@link LoadBalancerProcess}. */
  readonly nodeOptions: readonly string[]
  readonly #trigger: string

  constructor(t: TestContext, kind: 'throws' | 'hangs') {
    const directory = temporaryDirectory(t)
    this.#trigger = join(directory, 'trigger')
    const hit = `${this.#trigger}.hit`
    const fault = {
      throws: `throw new Error('injected')`,
      hangs: `while (existsSync(${JSON.stringify(hit)}));`,
    }[kind]
    // The rename succeeds in one worker only.
    this.nodeOptions = preload(
      directory,
      `import { existsSync, renameSync } from 'node:fs'
if (!isMainThread) {
  const { Relay } = await program('dataplane/relay.js')
  const { pump } = Relay.prototype
  const isHit = () => {
    try {
      renameSync(${JSON.stringify(this.#trigger)}, ${JSON.stringify(hit)})
      return true
    } catch {
      return false
    }
  }
  Relay.prototype.pump = function (from) {
    if (existsSync(${JSON.stringify(this.#trigger)}) && isHit()) { ${fault} }
    return pump.call(this, from)
  }
}
`,
    )
  }

  arm(): void {
    writeFileSync(`${this.#trigger}.new`, '')
    renameSync(`${this.#trigger}.new`, this.#trigger)
  }

  /** Lets a worker that hangs go on. */
  release(): void {
    rmSync(`${this.#trigger}.hit`, { force: true })
  }
}
