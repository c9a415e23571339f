const firstRetryMs = 100
const longestRetryMs = 5_000

/** How long to wait before the next connection. */
export class Pauses {
  /** How often a server was lately given up for what it sent, though each time a connection was there at first. */
  #refusals = 0
  #forgottenAtMs = 0

  noteRefusal(): void {
    const now = performance.now()
    if (now >= this.#forgottenAtMs) this.#refusals = 0
    this.#refusals++
    this.#forgottenAtMs = now + 2 * longestRetryMs
  }

  /** @param times Connections that failed one after the other. */
  next(times: number): number {
    return retryDelay(performance.now() < this.#forgottenAtMs ? Math.max(times, this.#refusals) : times)
  }
}

/** Spread, so that those who lost a Redis at the same time do not come back at the same time. */
function retryDelay(times: number): number {
  return Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(times - 1, 10)) * (0.75 + Math.random() / 4)
}
