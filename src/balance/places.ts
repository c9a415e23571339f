import type { BackendTable } from '../shared/backend-table.ts'
import type { Group, Request } from './balancer.ts'

/** Most times that all backends are looked at for one with room, while others take and give back places. */
const MAX_LOOKS = 4

/** The places at the backends of one group, and who may take one. Every index is one into the arrays of the group. */
export class Places {
  readonly group: Group
  readonly table: BackendTable

  constructor(group: Group, table: BackendTable) {
    this.group = group
    this.table = table
  }

  /** Number of backends. */
  get count(): number {
    return this.group.rows.length
  }

  /** Whether the backend may get this connection: it is available, not excluded, and has room. */
  isOpen(index: number, request: Request, inPanic: boolean): boolean {
    const row = this.group.rows[index]!
    return (
      this.table.isAvailable(row, inPanic) &&
      this.table.glance(row) < this.group.maxConnections[index]! &&
      !request.isExcluded(row)
    )
  }

  /** Its weight, less what slow start takes from it; above 0. */
  weight(index: number): number {
    return this.group.weights[index]! * this.table.share(this.group.rows[index]!)
  }

  /** Its open connections, perhaps a moment old. */
  active(index: number): number {
    return this.table.glance(this.group.rows[index]!)
  }

  take(index: number): boolean {
    return this.table.acquire(this.group.rows[index]!, this.group.maxConnections[index]!)
  }

  /** Takes a place only if the backend has exactly `active` connections; the caller knows that they are below the limit. */
  takeAt(index: number, active: number): boolean {
    return this.table.acquireAt(this.group.rows[index]!, active)
  }

  /**
   * Takes a place at the first backend that has one, weights and slow start ignored, beginning at index `start`; -1 when
   * there is none. Every algorithm ends here when its own way has found nothing: a backend with room is never missed.
   *
   * While backends are looked at one after the other, another worker may leave one that was full and fill one that had
   * room. So they are looked at again, a few times, as long as it was for want of room that nothing was found.
   */
  takeAny(start: number, request: Request, inPanic: boolean): number {
    const { count } = this
    for (let look = 0; look < MAX_LOOKS; look++) {
      let full = false
      for (let step = 0, index = start; step < count; step++, index = index + 1 === count ? 0 : index + 1) {
        const row = this.group.rows[index]!
        if (!this.table.isAvailable(row, inPanic) || request.isExcluded(row)) continue
        if (this.take(index)) return index
        full = true
      }
      if (!full) return -1
    }
    return -1
  }
}
