import { Errno } from '#src/kernel/errno.js'

// What the man pages allow each call to fail with, whatever the state of the socket.

export const acceptErrors = [
  Errno.EINTR,
  Errno.EMFILE,
  Errno.ENFILE,
  Errno.ENOBUFS,
  Errno.ENOMEM,
  Errno.ECONNABORTED,
  Errno.EPROTO,
  Errno.EPERM,
  Errno.ENETDOWN,
  Errno.ENOPROTOOPT,
  Errno.EHOSTUNREACH,
  Errno.EOPNOTSUPP,
  Errno.ENETUNREACH,
  Errno.ETIMEDOUT,
]
/** These leave the connection in the backlog; the others take it out. */
export const acceptLater: ReadonlySet<number> = new Set([
  Errno.EINTR,
  Errno.EMFILE,
  Errno.ENFILE,
  Errno.ENOBUFS,
  Errno.ENOMEM,
])
/** 4095 is one that no man page names. */
export const receiveErrors = [Errno.ENOMEM, Errno.EIO, Errno.ENOBUFS, 4095]
export const sendErrors = [Errno.ENOBUFS, Errno.ENOMEM, Errno.EPERM, Errno.EIO, 4095]
export const closeErrors = [Errno.EINTR, Errno.EIO, Errno.ENOSPC]
export const socketErrors = [Errno.EMFILE, Errno.ENFILE, Errno.ENOBUFS, Errno.ENOMEM, Errno.EACCES]
export const optionErrors = [Errno.EINVAL, Errno.ENOPROTOOPT, Errno.ENOBUFS]
export const watchErrors = [Errno.ENOSPC, Errno.ENOMEM]
