import { Errno } from '../kernel/errno.ts'

const { EADDRNOTAVAIL, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM } = Errno

/** Whether socket(2) says that this process or machine has none left for now. */
export function isOutOfDescriptors(errno: number): boolean {
  return errno === EMFILE || errno === ENFILE || errno === ENOBUFS || errno === ENOMEM
}

/** Whether an attempt failed for want of something here. */
export function isOwnWant(errno: number): boolean {
  return isOutOfDescriptors(errno) || errno === EADDRNOTAVAIL
}

/** Whether a failed attempt speaks against the backend; not where this program wanted for something, or gave up by order. */
export function isBackendsFault(errno: number): boolean {
  return !isOwnWant(errno) && errno !== ECONNABORTED
}
