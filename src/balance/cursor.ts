/**
 * Moves a cursor that all workers share by one, around a circle of `length` places, and returns where it stood: always
 * below `length`, though the circle may have shrunk since. `length` is at least 1.
 */
export function advanceCursor(cursors: Int32Array, cursor: number, length: number): number {
  for (;;) {
    const seen = Atomics.load(cursors, cursor)
    const current = seen >= 0 && seen < length ? seen : 0
    const next = current + 1 === length ? 0 : current + 1
    if (Atomics.compareExchange(cursors, cursor, seen, next) === seen) return current
  }
}
