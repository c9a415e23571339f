import koffi from 'koffi'
import { AF_UNIX, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from './constants.ts'
import { Errno } from './errno.ts'

const libc = koffi.load(null)
const socket = libc.func('int socket(int, int, int)')
const sendto = libc.func('intptr_t sendto(int, uintptr_t, size_t, int, uintptr_t, uint32_t)')
const close = libc.func('int close(int)')

/** `struct sockaddr_un`: the family, then 108 bytes of path. */
const SOCKADDR_UN_BYTES = 110
const FAMILY_BYTES = 2
const MAX_MESSAGE_BYTES = 4096

// Both live as long as the module, because the kernel is given their addresses.
const sockaddr = Buffer.allocUnsafeSlow(SOCKADDR_UN_BYTES)
const sockaddrAt = Number(koffi.address(sockaddr))
const message = Buffer.allocUnsafeSlow(MAX_MESSAGE_BYTES)
const messageAt = Number(koffi.address(message))

/** A sender on AF_UNIX, SOCK_DGRAM, which Node does not have. It never blocks. */
export class UnixDatagram {
  readonly #path: Buffer
  #fd = -1

  /** `path` is that of a socket file, or a name in the abstract namespace with `@` or NUL in front (unix(7)). */
  constructor(path: string) {
    this.#path = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path)
  }

  /**
   * sendto(2) with MSG_NOSIGNAL, non-blocking: the bytes that were sent, or the negated errno. A path that does not fit
   * `sockaddr_un` is ENAMETOOLONG, a text over 4 KiB is EMSGSIZE. The socket is opened by the first call.
   */
  send(text: string): number {
    const length = Buffer.byteLength(text)
    if (length > MAX_MESSAGE_BYTES) return -Errno.EMSGSIZE
    const addressLength = this.#writeAddress()
    if (addressLength < 0) return addressLength
    const failure = this.#open()
    if (failure < 0) return failure
    message.write(text)
    const sent: number = sendto(this.#fd, messageAt, length, MSG_NOSIGNAL, sockaddrAt, addressLength)
    return sent < 0 ? -koffi.errno() : sent
  }

  /** Closes the socket; a later send() opens another. */
  close(): void {
    if (this.#fd === -1) return
    const fd = this.#fd
    this.#fd = -1
    close(fd)
  }

  #open(): number {
    if (this.#fd !== -1) return 0
    const fd: number = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if (fd < 0) return -koffi.errno()
    this.#fd = fd
    return 0
  }

  /** A path ends with a NUL and an abstract name with its length (unix(7)). */
  #writeAddress(): number {
    const path = this.#path
    const end = path[0] === 0 ? FAMILY_BYTES + path.length : FAMILY_BYTES + path.length + 1
    if (path.length === 0) return -Errno.EINVAL
    if (end > SOCKADDR_UN_BYTES) return -Errno.ENAMETOOLONG
    sockaddr.fill(0)
    sockaddr.writeUInt16LE(AF_UNIX, 0)
    path.copy(sockaddr, FAMILY_BYTES)
    return end
  }
}
