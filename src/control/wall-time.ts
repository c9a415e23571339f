/** ECMA-262, "Time Values and Time Range": no Date is later. */
const MAX_DATE_MS = 8.64e15

/** The wall clock's time in `durationMs`, ISO 8601 in UTC; the latest that there is where that is too far. */
export function wallTimeIn(durationMs: number): string {
  return new Date(Math.min(Date.now() + durationMs, MAX_DATE_MS)).toISOString()
}
