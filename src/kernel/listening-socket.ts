import type { SocketAddress } from '../model/address.ts'
import {
  AF_INET6,
  AF_UNIX,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOL_SOCKET,
  TCP_NODELAY,
} from './constants.ts'
import { Libc } from './libc.ts'
import { addressOf, checked, declare } from './library.ts'
import { domainOf, encodeSockaddr } from './sockaddr.ts'
import { setKeepAlive } from './socket-option.ts'

const c = {
  bind: declare('int bind(int, uintptr_t, uint32_t)'),
  listen: declare('int listen(int, int)'),
}

const kernel = new Libc()

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
  const result = checked(c.bind(fd, addressOf(sockaddr), sockaddr.length))
  if (result >= 0) return fd
  kernel.close(fd)
  return result
}

/** listen(2). On a socket that listens already it sets the backlog. Returns 0 or the negated errno. */
export function listenOn(fd: number, backlog: number): number {
  return checked(c.listen(fd, backlog))
}

/** Lets another socket bind an address that overlaps this one's: both need it (socket(7), SO_REUSEPORT). */
export function allowSharedBind(fd: number): number {
  return kernel.setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1)
}
