/**
 * The part of Linux's socket API that the data plane stands on.
 *
 * Every method that names a system call returns what the call returns when it is zero or more, and the negated errno
 * otherwise (`-11` is EAGAIN), so that a result and its errno can never be separated. Pointers are plain numbers from
 * {@link Kernel.addressOf}. In production this is libc through koffi ({@link file://./libc.ts}); in test/simulation it
 * is a seeded adversary with virtual time.
 */
export interface Kernel {
  /** Address of the first byte of `memory`, for the `at` arguments below. `memory` must live as long as the kernel. */
  addressOf(memory: Uint8Array): number
  /** Monotonic time in milliseconds with a fraction, on one clock for all threads of the process. */
  nowMs(): number
  /** Wall-clock time in milliseconds since 1970-01-01 UTC, as `Date.now()`. */
  wallClockMs(): number

  /** socket(2). The descriptor is CLOEXEC and non-blocking. `domain` is AF_UNIX, AF_INET or AF_INET6. */
  socket(domain: number): number
  /** connect(2) to the sockaddr of `length` bytes at `at`. */
  connect(fd: number, at: number, length: number): number
  /**
   * accept4(2) with SOCK_NONBLOCK | SOCK_CLOEXEC. The peer's sockaddr is written to `at`, at most
   * {@link SOCKADDR_BYTES} bytes of it.
   */
  accept(fd: number, at: number): number
  /** recv(2). `flags` is 0 or MSG_PEEK. Zero is the end of the stream. */
  recv(fd: number, at: number, length: number, flags: number): number
  /** send(2) with MSG_NOSIGNAL. `flags` is 0 or MSG_MORE. */
  send(fd: number, at: number, length: number, flags: number): number
  /** shutdown(2). `how` is SHUT_WR. */
  shutdown(fd: number, how: number): number
  /** close(2). The descriptor is gone whatever the result. */
  close(fd: number): number
  /** setsockopt(2) for an option whose value is an int. */
  setOption(fd: number, level: number, name: number, value: number): number
  /** Whether a socket is connected to itself: getsockname(2) and getpeername(2) are the same. */
  isOwnPeer(fd: number): boolean
  /**
   * Where the peer has a loopback address, has TCP use Reno, which every kernel has and which does not pace. Does nothing
   * to other sockets. Returns 0, or the negated errno of getpeername(2) or setsockopt(2).
   */
  sendUnpacedOnLoopback(fd: number): number
  /** Makes the next close(2) send a reset instead of a FIN: SO_LINGER with a time of zero. */
  resetOnClose(fd: number): number
  /** The pending error of a socket, SO_ERROR, as a positive errno, or 0 when there is none. Reading clears it. */
  socketError(fd: number): number

  /** epoll_create1(2) with EPOLL_CLOEXEC. */
  epollCreate(): number
  /** epoll_ctl(2). `low` and `high` are the two halves of the event's data word, as int32. */
  epollCtl(epoll: number, operation: number, fd: number, mask: number, low: number, high: number): number
  /** epoll_wait(2) into `events`, at most its capacity. `timeoutMs` is a whole number; -1 waits for ever. */
  epollWait(epoll: number, events: EpollEvents, timeoutMs: number): number
  /** memcpy(3): copies `length` bytes between two places that do not overlap. */
  copy(toAt: number, fromAt: number, length: number): void
  /** Takes what an eventfd(2) has counted, so that it is no longer readable. */
  drainEvent(fd: number): number
}

/** Size of the room that {@link Kernel.accept} needs: sockaddr_un is the largest, 110 bytes, rounded up. */
export const SOCKADDR_BYTES = 112

/**
 * Room for what epoll_wait(2) reports. `words` is the array of `struct epoll_event` as int32 words; event `i` has its
 * mask at `i * stride`, and its data word's halves at `i * stride + dataWord` and the word after.
 *
 * ```
 *   x86-64 (packed, 12 bytes)     others (16 bytes)
 *   | mask | low | high |         | mask | pad | low | high |
 * ```
 */
export interface EpollEvents {
  readonly words: Int32Array
  readonly address: number
  readonly capacity: number
  readonly stride: number
  readonly dataWord: number
}
