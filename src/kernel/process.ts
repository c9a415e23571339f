import { EFD_CLOEXEC, EFD_NONBLOCK, RLIMIT_NOFILE } from './constants.ts'
import { checked, declare, permanent } from './library.ts'

const c = {
  eventfd: declare('int eventfd(uint32_t, int)'),
  exit: declare('void _exit(int)'),
  getrlimit: declare('int getrlimit(int, uintptr_t)'),
  setrlimit: declare('int setrlimit(int, uintptr_t)'),
  write: declare('long write(int, uintptr_t, size_t)'),
}

const one = permanent(8)
one.memory.writeBigUInt64LE(1n)

/** A non-blocking eventfd(2) that wakes a thread blocked in epoll_wait. Returns the descriptor or a negated errno. */
export function createEvent(): number {
  return checked(c.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))
}

/** Makes an eventfd readable. */
export function signalEvent(fd: number): void {
  c.write(fd, one.at, 8)
}

/** Ends the process at once, whatever its threads are blocked in. */
export function exitNow(code: number): never {
  c.exit(code)
  throw new Error('_exit returned')
}

/**
 * Raises the soft limit of file descriptors to the hard one and returns what is in force then, Infinity for none.
 * Source: getrlimit(2).
 */
export function raiseDescriptorLimit(): number {
  const { memory, at } = permanent(16)
  if (c.getrlimit(RLIMIT_NOFILE, at) < 0) return 1024
  const soft = memory.readBigUInt64LE(0)
  const hard = memory.readBigUInt64LE(8)
  if (soft < hard) {
    memory.writeBigUInt64LE(hard, 0)
    if (c.setrlimit(RLIMIT_NOFILE, at) < 0) return toLimit(soft)
  }
  return toLimit(hard)
}

function toLimit(value: bigint): number {
  return value === 0xffff_ffff_ffff_ffffn ? Number.POSITIVE_INFINITY : Number(value)
}
