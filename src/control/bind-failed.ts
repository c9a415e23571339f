import { Errno, errnoName } from '../kernel/errno.ts'
import { formatAddress, type SocketAddress } from '../model/address.ts'
import { McsError } from '../model/errors.ts'

/** MCS_BIND_FAILED for an address of a listener, with what would do about the error number. */
export function bindFailed(listener: string, address: SocketAddress, errno: number): McsError {
  const action = `Cannot bind listener "${listener}" to ${formatAddress(address)}`
  return new McsError('MCS_BIND_FAILED', `${action}: ${explain(errno, address)}`, { source: 'system', retryable: true })
}

function explain(errno: number, { family }: SocketAddress): string {
  switch (errno) {
    case Errno.EACCES:
    case Errno.EPERM:
      return family === 'unix'
        ? 'permission denied; make the directory writable for the user that this runs as'
        : 'permission denied; grant CAP_NET_BIND_SERVICE, or use a port above 1023'
    case Errno.EADDRINUSE:
      return 'the address is in use; stop the program that has it (`ss -ltnp` names it), or choose another'
    case Errno.EADDRNOTAVAIL:
      return 'this machine has no such address; `ip address` lists those it has'
    case Errno.EMFILE:
      return 'no file descriptor is left; raise the limit: LimitNOFILE under systemd, "ulimit -n" elsewhere'
    case Errno.ENOENT:
      return 'the directory does not exist; create it'
    default:
      return errnoName(errno)
  }
}
