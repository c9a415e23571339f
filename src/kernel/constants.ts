/** Linux constants as the kernel's headers define them for x86-64 and arm64 (they agree on all that stand here). */
export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10

export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_NONBLOCK = 0x800
export const SOCK_CLOEXEC = 0x80000

export const SOL_SOCKET = 1
export const SO_REUSEADDR = 2
export const SO_ERROR = 4
export const SO_KEEPALIVE = 9
export const SO_LINGER = 13
export const SO_REUSEPORT = 15
export const SO_ATTACH_FILTER = 26
export const SO_DETACH_FILTER = 27

export const IPPROTO_TCP = 6
export const TCP_NODELAY = 1
export const TCP_KEEPIDLE = 4
export const TCP_KEEPINTVL = 5
export const TCP_KEEPCNT = 6
export const TCP_QUICKACK = 12
export const TCP_CONGESTION = 13

export const IPPROTO_IPV6 = 41
export const IPV6_V6ONLY = 26

export const SHUT_WR = 1
export const MSG_PEEK = 2
export const MSG_NOSIGNAL = 0x4000
export const MSG_MORE = 0x8000

export const EPOLL_CTL_ADD = 1
export const EPOLL_CTL_DEL = 2
export const EPOLL_CTL_MOD = 3
export const EPOLLIN = 0x1
export const EPOLLPRI = 0x2
export const EPOLLOUT = 0x4
export const EPOLLERR = 0x8
export const EPOLLHUP = 0x10
export const EPOLLRDHUP = 0x2000
export const EPOLLEXCLUSIVE = 1 << 28
/** Bit 31: negative as an int32, which is how masks are handled everywhere. */
export const EPOLLET = 1 << 31

export const EFD_CLOEXEC = 0x80000
export const EFD_NONBLOCK = 0x800

export const RLIMIT_NOFILE = 7
