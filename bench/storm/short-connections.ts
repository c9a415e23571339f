import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { ECHO } from './backend.ts'
import { PatternCheck, PatternSource } from './pattern.ts'

/** A connect that takes this long has lost a SYN, which the kernel sends again after a second. */
const SLOW_CONNECT_MS = 900
const HANG_MS = 15_000
const PAUSE_MS = 50

export interface ShortResults {
  ok: number
  refused: number
  reset: number
  truncated: number
  mismatched: number
  hung: number
  /** Of those that are ok: connected only when the SYN was sent again. */
  slow: number
}

/**
 * Clients that connect, send a little, want it back, and end; in waves, so that some wait to be accepted whenever a
 * socket is given up.
 */
export class ShortConnections {
  readonly results: ShortResults = { ok: 0, refused: 0, reset: 0, truncated: 0, mismatched: 0, hung: 0, slow: 0 }
  readonly #port: number
  readonly #names: ReadonlySet<string>
  readonly #waves: Promise<void>
  #isOver = false
  #count = 0

  /** `names` are the backends that may greet: one of a file that was refused is a mismatch. */
  constructor(port: number, perWave: number, names: ReadonlySet<string>) {
    this.#port = port
    this.#names = names
    this.#waves = this.#comeAndGo(perWave)
  }

  async finish(): Promise<ShortResults> {
    this.#isOver = true
    await this.#waves
    return this.results
  }

  async #comeAndGo(perWave: number): Promise<void> {
    const inFlight = new Set<Promise<void>>()
    while (!this.#isOver) {
      for (let i = 0; i < perWave; i++) {
        const client = this.#countOne().finally(() => inFlight.delete(client))
        inFlight.add(client)
      }
      // One that is slow does not hold up the next wave.
      await pause(PAUSE_MS)
    }
    await Promise.all(inFlight)
  }

  async #countOne(): Promise<void> {
    const outcome = await this.#connectOnce(this.#count++)
    this.results[outcome]++
    if (outcome === 'slow') this.results.ok++
  }

  #connectOnce(seed: number): Promise<keyof ShortResults> {
    const length = 1 + ((seed * 997) % 8192)
    const startedAt = performance.now()
    return new Promise((resolve) => {
      const check = new PatternCheck(seed)
      let greeting = ''
      let connectMs = 0
      const socket = connect({ port: this.#port, host: '127.0.0.1' })
      const settle = (outcome: keyof ShortResults) => {
        socket.destroy()
        resolve(outcome)
      }
      socket.setTimeout(HANG_MS, () => settle('hung'))
      socket.on('error', (error: NodeJS.ErrnoException) => settle(error.code === 'ECONNREFUSED' ? 'refused' : 'reset'))
      socket.on('connect', () => {
        connectMs = performance.now() - startedAt
        socket.write(ECHO)
        socket.write(new PatternSource(seed).next(length))
      })
      socket.on('data', (chunk: Buffer) => {
        const newline = greeting.endsWith('\n') ? -1 : chunk.indexOf('\n')
        if (!greeting.endsWith('\n')) greeting += chunk.toString('latin1', 0, newline < 0 ? undefined : newline + 1)
        check.take(chunk.subarray(newline + 1))
        if (check.bytes >= length) socket.end()
      })
      socket.on('end', () => {
        if (check.bytes < length) settle('truncated')
        else if (!check.isIntact || !this.#names.has(greeting.trimEnd())) settle('mismatched')
        else settle(connectMs >= SLOW_CONNECT_MS ? 'slow' : 'ok')
      })
    })
  }
}
