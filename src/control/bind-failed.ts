import { Errno, errnoName } from '../kernel/errno.ts'
import { formatAddress, type SocketAddress } from '../model/address.ts'
import { McsError } from '../model/errors.ts'

/** MCS_BIND_FAILED for an address of a listener; `reason` says why, and what would do about it. */
export function bindFailed(
  listener: string,
  address: SocketAddress,
  errno: number,
  reason = explain(errno, address),
): McsError {
  const action = `Cannot bind listener "${listener}" to ${formatAddress(address)}`
  return new McsError('MCS_BIND_FAILED', `${action}: ${reason}`, { source: 'system', retryable: true })
}

function explain(errno: number, { family }: SocketAddress): string {
  switch (errno) {
    case Errno.EACCES:
    case Errno.EPERM:
      return family === 'unix'
        ? 'permission denied; let the user that runs mcs-lb write to the directory'
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
