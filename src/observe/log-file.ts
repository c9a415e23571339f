import { close, constants, fstatSync, open, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { isatty } from 'node:tty'
import { McsError } from '../model/errors.ts'

// Node adds O_CLOEXEC. O_NONBLOCK means nothing to a file; without it a named pipe that nobody reads blocks for ever.
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOCTTY
const MODE = 0o640

/** Opens `path` for appending, creating it with mode 0640. Rejects with MCS_LOG_UNWRITABLE. */
export function openLogFile(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, FLAGS, MODE, (error, fd) => (error === null ? resolve(fd) : reject(unwritable(path, error))))
  })
}

/**
 * A descriptor that leads where `fd` leads, and never blocks: a pipe or terminal is opened anew as non-blocking,
 * because setting that on `fd` itself would set it for every process that shares it. Otherwise `fd`.
 */
export function openUnblocked(fd: number): number {
  if (!fstatSync(fd).isFIFO() && !isatty(fd)) return fd
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    // A pipe that another user made, or one without a reader: writes may block, but only a thread of Node's pool.
    return fd
  }
}

/** Closes a descriptor. There is nothing to be done about an error: the descriptor is gone all the same. */
export function closeQuietly(fd: number): void {
  close(fd, () => {})
}

function unwritable(path: string, error: NodeJS.ErrnoException): McsError {
  return new McsError('MCS_LOG_UNWRITABLE', `Cannot open log file ${JSON.stringify(path)}: ${remedy(path, error)}`, {
    source: 'system',
    retryable: true,
    cause: error,
  })
}

function remedy(path: string, error: NodeJS.ErrnoException): string {
  const directory = JSON.stringify(dirname(path))
  switch (error.code) {
    case 'ENOENT':
      return `there is no directory ${directory}; create it, and let the user that runs mcs-lb write to it`
    case 'ENOTDIR':
      return `${directory} is not a directory; name a file inside one`
    case 'EACCES':
      return `permission denied; let the user that runs mcs-lb write to ${directory} and to the file`
    case 'EROFS':
      return `the file system is read-only; under systemd, name ${directory} in ReadWritePaths= or LogsDirectory=`
    case 'EISDIR':
      return 'it is a directory; name a file inside it'
    case 'ENXIO':
      // systemd gives a service a socket as its output, and open(2) cannot open one, not even by /dev/stdout.
      return isSocket(path)
        ? 'it is a socket; write accessLog.to: stdout for the output of mcs-lb, or name a file'
        : 'it is a named pipe that nobody reads; start its reader first'
    case 'EMFILE':
    case 'ENFILE':
      return 'no file descriptor is left; raise the limit: LimitNOFILE under systemd, "ulimit -n" elsewhere'
    default:
      return `${error.message}; name a file that can be appended to`
  }
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true
}
