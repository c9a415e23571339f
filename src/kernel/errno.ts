import { constants } from 'node:os'

/** errno numbers by name, from the platform Node was built for. */
export const { errno: Errno } = constants

const names = new Map<number, string>(Object.entries(Errno).map(([name, value]) => [value, name]))
// Node's list has two names for one number here; the man pages of socket calls speak of EAGAIN and EOPNOTSUPP.
names.set(Errno.EAGAIN, 'EAGAIN')
names.set(Errno.EOPNOTSUPP, 'EOPNOTSUPP')

/** The symbolic name of an errno, `ECONNREFUSED` for 111; `errno 4095` for one that Linux does not name. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`
}
