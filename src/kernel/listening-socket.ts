import type { SocketAddress } from '../model/address.ts'
import {
  AF_INET6,
  AF_UNIX,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  SO_ATTACH_FILTER,
  SO_DETACH_FILTER,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOL_SOCKET,
  TCP_NODELAY,
} from './constants.ts'
import { SOCKADDR_BYTES } from './kernel.ts'
import { Libc } from './libc.ts'
import { checked, declare, permanent } from './library.ts'
import { domainOf, encodeSockaddr } from './sockaddr.ts'
import { setKeepAlive } from './socket-option.ts'

const c = {
  bind: declare('int bind(int, uintptr_t, uint32_t)'),
  getsockname: declare('int getsockname(int, uintptr_t, uintptr_t)'),
  listen: declare('int listen(int, int)'),
  setsockopt: declare('int setsockopt(int, int, int, uintptr_t, uint32_t)'),
}

const kernel = new Libc()
/** Where bind(2) reads the address: its number must not outlive the memory, which an optimizer may let go early. */
const room = permanent(SOCKADDR_BYTES)
/** Where getsockname(2) reads how much room there is. */
const length = permanent(4)
/** Of `sin_port` and of `sin6_port`. */
const PORT_OFFSET = 2

/**
 * Opens a socket and binds it, without listening yet. Accepted sockets inherit TCP_NODELAY and the keep-alive times
 * from it (Linux clones the listener), which saves the calls on each of them. IPv6 sockets are V6ONLY.
 *
 * Returns the descriptor, or the negated errno of the call that failed.
 */
export function bindSocket(address: SocketAddress, options: { keepAliveMs: number; reusePort: boolean }): number {
  const domain = domainOf(address)
  const fd = kernel.socket(domain)
  if (fd < 0) return fd
  if (domain !== AF_UNIX) {
    kernel.setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
    if (domain === AF_INET6) kernel.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)
    kernel.setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1)
    if (options.reusePort) allowSharedBind(fd)
    setKeepAlive(kernel, fd, options.keepAliveMs)
  }
  const sockaddr = encodeSockaddr(address)
  room.memory.set(sockaddr)
  const result = checked(c.bind(fd, room.at, sockaddr.length))
  if (result >= 0) return fd
  kernel.close(fd)
  return result
}

/** The port that an IPv4 or IPv6 socket is bound to, or the negated errno: the kernel chooses one where 0 was asked for. */
export function boundPort(fd: number): number {
  length.memory.writeUInt32LE(SOCKADDR_BYTES)
  const result = checked(c.getsockname(fd, room.at, length.at))
  return result < 0 ? result : room.memory.readUInt16BE(PORT_OFFSET)
}

/** listen(2). On a socket that listens already it sets the backlog. Returns 0 or the negated errno. */
export function listenOn(fd: number, backlog: number): number {
  return checked(c.listen(fd, backlog))
}

/** Lets another socket bind an address that overlaps this one's: both need it (socket(7), SO_REUSEPORT). */
export function allowSharedBind(fd: number): number {
  return kernel.setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1)
}

/** Undoes {@link allowSharedBind}: nobody can bind beside this socket any more. */
export function forbidSharedBind(fd: number): number {
  return kernel.setOption(fd, SOL_SOCKET, SO_REUSEPORT, 0)
}

/**
 * Has the kernel drop the SYN of every new client, while clients whose handshake is under way still get through. A
 * socket that is to be closed is emptied behind this, and resets nobody: closing it resets the clients queued on it.
 * Returns 0 or the negated errno.
 */
export function refuseNewClients(fd: number): number {
  return checked(c.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filterAt, FILTER_PROGRAM_BYTES))
}

/** Undoes {@link refuseNewClients}. */
export function admitNewClients(fd: number): number {
  return kernel.setOption(fd, SOL_SOCKET, SO_DETACH_FILTER, 0)
}

/**
 * A classic BPF program over the TCP header (socket(7), SO_ATTACH_FILTER): byte 13 has the flags, 0x02 is SYN and 0x10
 * ACK. Each instruction is code u16, jt u8, jf u8, k u32.
 */
const instructions = [
  [0x30, 0, 0, 13], // ldb [13]
  [0x54, 0, 0, 0x12], // and #0x12
  [0x15, 0, 1, 0x02], // jeq #0x02, next, skip one
  [0x06, 0, 0, 0], // ret #0: drop
  [0x06, 0, 0, 0xffff_ffff], // ret #-1: keep
] as const
const FILTER_PROGRAM_BYTES = 16
const { memory: filter, at: filterAt } = permanent(FILTER_PROGRAM_BYTES + 8 * instructions.length)
filter.writeUInt16LE(instructions.length, 0)
filter.writeBigUInt64LE(BigInt(filterAt + FILTER_PROGRAM_BYTES), 8)
instructions.forEach(([code, jt, jf, k], i) => {
  const at = FILTER_PROGRAM_BYTES + 8 * i
  filter.writeUInt16LE(code, at)
  filter.writeUInt8(jt, at + 2)
  filter.writeUInt8(jf, at + 3)
  filter.writeUInt32LE(k, at + 4)
})
