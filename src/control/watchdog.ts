import { WorkerCell } from '../shared/control-cells.ts'
import type { Notifier } from '../systemd/notify.ts'
import type { Supervisor } from './supervisor.ts'

/** A worker is stuck when its heartbeat has stood still this long; in order, it advances twice a second. */
const STUCK_AFTER_MS = 600

/**
 * Feeds systemd's watchdog as long as every worker's heartbeat advances. A reactor that hangs starves it, and systemd
 * restarts the service.
 */
export function startWatchdog(supervisor: Supervisor, notifier: Notifier): void {
  if (notifier.watchdogIntervalMs === undefined) return
  const beats = new Map<number, { beat: number; sinceMs: number }>()
  setInterval(() => {
    const now = performance.now()
    const isStuck = supervisor.running.some((handle) => {
      const beat = Atomics.load(handle.cells, WorkerCell.heartbeat)
      const seen = beats.get(handle.id)
      if (seen !== undefined && seen.beat === beat) return now - seen.sinceMs > STUCK_AFTER_MS
      beats.set(handle.id, { beat, sinceMs: now })
      return false
    })
    if (!isStuck) notifier.watchdog()
  }, notifier.watchdogIntervalMs).unref()
}
