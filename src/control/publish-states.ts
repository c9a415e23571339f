import type { BackendTable } from '../shared/backend-table.ts'
import { assess, type BackendHealth, stateOf, type UpstreamHealth, weightiestOf } from './upstream-state.ts'

/** What an upstream can do for clients now. */
export interface Availability {
  /** Backends that may get connections. */
  readonly available: number
  /** The first priority that has one; null where none has. */
  readonly tier: number | null
  /** Priorities in panic. */
  readonly panics: ReadonlySet<number>
}

/**
 * Writes the states of an upstream's backends where workers read them, and which groups are in panic: bit i of the
 * upstream's row in `panics` says that health is ignored in group i.
 */
export function publishStates(upstream: UpstreamHealth, table: BackendTable, panics: Int32Array): Availability {
  const inPanic = new Set<number>()
  let tier: number | null = null
  let bits = 0
  let available = 0
  upstream.groups.forEach((group, index) => {
    for (const backend of group.backends) publishState(backend, table)
    const assessment = assess(group, upstream.config.panicThreshold)
    available += assessment.available
    if (assessment.available > 0) tier ??= group.priority
    if (!assessment.inPanic) return
    bits |= 1 << index
    inPanic.add(group.priority)
  })
  Atomics.store(panics, upstream.row, bits)
  return { available, tier, panics: inPanic }
}

function publishState(backend: BackendHealth, table: BackendTable): void {
  const bits = stateOf(backend)
  table.setState(backend.row, bits)
  const state = weightiestOf(bits)
  if (state === backend.state) return
  backend.state = state
  backend.sinceMs = Date.now()
}
