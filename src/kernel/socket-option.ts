import { IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL } from './constants.ts'
import type { Kernel } from './kernel.ts'

/** Probes after which a silent peer is given up; Linux's own default is 9, which takes minutes more. */
const PROBES = 3
const MAX_SECONDS = 32_767

/**
 * Sets keep-alive: the first probe after `keepAliveMs` of silence, then one every third of that; Infinity turns it off.
 * A listening socket passes it on to the sockets that are accepted from it.
 */
export function setKeepAlive(kernel: Kernel, fd: number, keepAliveMs: number): void {
  if (!Number.isFinite(keepAliveMs)) {
    kernel.setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 0)
    return
  }
  const seconds = Math.min(MAX_SECONDS, Math.max(1, Math.round(keepAliveMs / 1000)))
  kernel.setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
  kernel.setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds)
  kernel.setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, Math.max(1, Math.round(seconds / PROBES)))
  kernel.setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES)
}
