import type { Logger } from '../observe/logger.ts'
import { ControlCell, WorkerCell } from '../shared/control-cells.ts'
import type { LoadBalancer } from './load-balancer.ts'

const LOOK_MS = 1000
/** How long there must be room again before the log says so: what is full to the brim comes and goes. */
const CALM_MS = 10_000

/** Tells the log when clients have to wait, for want of descriptors or because of `limits.connections`, once each time. */
export function watchRoom(balancer: LoadBalancer, log: Logger): void {
  const descriptors = new Want('No file descriptor is left, so clients wait; raise the limit of open files', log)
  const places = new Want('limits.connections is reached, so clients wait; raise it, or add load balancers', log)
  const open = new Int32Array(balancer.shared.control)
  let before = 0
  setInterval(() => {
    const { current } = balancer
    if (current === null) return
    const shortages = balancer.supervisor.handles.reduce((sum, { cells }) => sum + cells[WorkerCell.shortages]!, 0)
    // The count of a worker that threw begins anew: less than before is no news.
    descriptors.note(shortages > before, {})
    before = shortages
    const { connectionLimit } = current.snapshot
    places.note(Atomics.load(open, ControlCell.open) >= connectionLimit, { connections: connectionLimit })
  }, LOOK_MS).unref()
}

/** Something that is wanting, or not. */
class Want {
  readonly #message: string
  readonly #log: Logger
  #lastMs = Number.NEGATIVE_INFINITY
  #isTold = false

  constructor(message: string, log: Logger) {
    this.#message = message
    this.#log = log
  }

  note(isWanting: boolean, fields: Record<string, unknown>): void {
    const now = performance.now()
    if (isWanting) {
      this.#lastMs = now
      if (!this.#isTold) this.#log.warn(this.#message, fields)
      this.#isTold = true
    } else if (this.#isTold && now - this.#lastMs >= CALM_MS) {
      this.#isTold = false
      this.#log.info('Clients need not wait any more', {})
    }
  }
}
