import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** A second signal within this time is the same Ctrl-C, sent on by npm. */
const sameSignalMs = 500

/** A child that shares this process's output, and that the signals of this process end. */
export class ChildProgram {
  readonly #program: string
  readonly #args: readonly string[]
  #child: ChildProcess | null = null
  #signalledAtMs = Number.NEGATIVE_INFINITY

  constructor(program: string, args: readonly string[]) {
    this.#program = program
    this.#args = args
  }

  /**
   * Starts the child and resolves with its exit code once it has ended, 128 and the signal's number where one killed
   * it. The first signal to this process calls `onStop` and sends SIGTERM to the child, each further one SIGTERM again.
   */
  async run(onStop: () => void): Promise<number> {
    const stop = () => {
      const isFirst = this.#signalledAtMs === Number.NEGATIVE_INFINITY
      if (isFirst) onStop()
      if (performance.now() - this.#signalledAtMs < sameSignalMs) return
      this.#signalledAtMs = performance.now()
      this.#child?.kill('SIGTERM')
    }
    for (const signal of signals) process.on(signal, stop)
    try {
      // In a process group of its own: else a terminal sends it Ctrl-C too, and two signals mean "at once".
      this.#child = spawn(this.#program, this.#args, { stdio: ['ignore', 'inherit', 'inherit'], detached: true })
      const [code, signal] = (await once(this.#child, 'exit')) as [number | null, NodeJS.Signals | null]
      return code ?? 128 + (signal === null ? 0 : constants.signals[signal])
    } finally {
      for (const signal of signals) process.off(signal, stop)
    }
  }
}
