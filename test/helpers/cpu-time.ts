import { readFileSync } from 'node:fs'

/** Clock ticks a second, as Linux tells them to programs on every platform (time(7), USER_HZ). */
const TICKS_PER_SECOND = 100

/** CPU time that a process has used so far, by all its threads, in milliseconds. */
export function cpuTimeMs(pid: number): number {
  // The second field, the name in parentheses, may hold blanks; utime and stime are the 14th and 15th.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND
}
