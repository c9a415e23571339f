import type { ChildProcess } from 'node:child_process'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { spawnChild } from './child-process.ts'
import { atEnd } from './cleanup.ts'
import { waitUntil } from './wait-until.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

export interface ScriptOptions {
  /** Put before node: `['prlimit', '--nofile=64']`. */
  readonly prefix?: readonly string[]
  readonly nodeOptions?: readonly string[]
}

/** A piece of JavaScript in a node of its own, which imports the program's modules as `#src/….js`. */
export class Script {
  readonly child: ChildProcess
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>
  #stdout = ''
  #stderr = ''

  /** It is killed when the test ends. */
  constructor(t: TestContext, text: string, options: ScriptOptions = {}) {
    const [command, ...args] = [
      ...(options.prefix ?? []),
      process.execPath,
      ...(options.nodeOptions ?? []),
      '--input-type=module',
      '--eval',
      text,
    ]
    // Under the test runner a child would otherwise write the runner's own protocol.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    this.child = spawnChild(command!, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      this.#stdout += chunk
    })
    this.child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      this.#stderr += chunk
    })
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('close', (code, signal) => resolve(code ?? signal))
    })
    atEnd(t, async () => {
      this.child.kill('SIGKILL')
      await this.ended
    })
  }

  get stdout(): string {
    return this.#stdout
  }

  get stderr(): string {
    return this.#stderr
  }

  /** Waits until it has written `text`. */
  async says(text: string): Promise<void> {
    await waitUntil(`the script says ${text}\n${this.#stderr}`, () => this.#stdout.includes(text), 10_000)
  }
}

/** Runs a script to its end, which must be an orderly one, and returns what it wrote to stdout. */
export async function runScript(t: TestContext, text: string, options?: ScriptOptions): Promise<string> {
  const script = new Script(t, text, options)
  const end = await script.ended
  if (end !== 0) throw new Error(`the script ended with ${end}:\n${script.stderr}`)
  return script.stdout
}
