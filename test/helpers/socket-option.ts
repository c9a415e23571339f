import { checked, declare, permanent } from '#src/kernel/library.js'

const getsockopt = declare('int getsockopt(int, int, int, uintptr_t, uintptr_t)')
const getsockname = declare('int getsockname(int, uintptr_t, uintptr_t)')

/** An option of a socket whose value is an int, or the negated errno. */
export function readOption(fd: number, level: number, name: number): number {
  const { memory, at } = permanent(8)
  memory.writeUInt32LE(4, 4)
  const result = checked(getsockopt(fd, level, name, at, at + 4))
  return result < 0 ? result : memory.readInt32LE(0)
}

/** The port that an IPv4 or IPv6 socket is bound to. */
export function boundPort(fd: number): number {
  const { memory, at } = permanent(32)
  memory.writeUInt32LE(28, 28)
  const result = checked(getsockname(fd, at, at + 28))
  if (result < 0) throw new Error(`getsockname failed with errno ${-result}`)
  return memory.readUInt16BE(2)
}
