import { WorkerCell } from '../shared/control-cells.ts'
import type { Notifier } from '../systemd/notify.ts'
import type { Supervisor } from './supervisor.ts'

/**
 * Feeds systemd's watchdog as long as every worker's heartbeat has advanced since the last time. A reactor that hangs
 * starves it, and systemd restarts the service.
 */
export function startWatchdog(supervisor: Supervisor, notifier: Notifier): void {
  if (notifier.watchdogIntervalMs === undefined) return
  const seen = new Map<number, number>()
  setInterval(() => {
    const stuck = supervisor.running.filter((handle) => {
      const beat = Atomics.load(handle.cells, WorkerCell.heartbeat)
      const previous = seen.get(handle.id)
      seen.set(handle.id, beat)
      return beat === previous
    })
    if (stuck.length === 0) notifier.watchdog()
  }, notifier.watchdogIntervalMs).unref()
}
