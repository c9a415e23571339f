import { errnoName } from '../kernel/errno.ts'
import { UnixDatagram } from '../kernel/unix-datagram.ts'

/** What the notifier says about messages that did not arrive; a logger is one. */
export interface NotifierLog {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void
}

type Environment = Record<string, string | undefined>

const MAX_STATUS_CHARACTERS = 512

/**
 * Tells systemd how the service is (sd_notify(3)). Without NOTIFY_SOCKET every method does nothing; a socket that is
 * missing or full loses the message, which is logged at debug. Nothing here throws or blocks.
 */
export class Notifier {
  /** How often systemd wants to hear watchdog(): half of WatchdogSec=, in milliseconds. Undefined when it does not. */
  readonly watchdogIntervalMs: number | undefined
  readonly #socket: UnixDatagram | undefined
  readonly #log: NotifierLog

  /** `socketPath` is undefined where nobody listens. */
  constructor(socketPath: string | undefined, watchdogIntervalMs: number | undefined, log: NotifierLog) {
    this.watchdogIntervalMs = watchdogIntervalMs
    this.#log = log
    this.#socket = socketPath === undefined ? undefined : new UnixDatagram(socketPath)
  }

  /** Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of `environment`, so that no child inherits them. */
  static fromEnvironment(log: NotifierLog, environment: Environment = process.env): Notifier {
    const path = environment.NOTIFY_SOCKET
    const watchdogIntervalMs = readWatchdog(environment)
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name]
    if (path === undefined || path === '') return new Notifier(undefined, undefined, log)
    if (path.startsWith('/') || path.startsWith('@')) return new Notifier(path, watchdogIntervalMs, log)
    log.debug('Cannot notify systemd: NOTIFY_SOCKET is neither a path nor an abstract name', { path })
    return new Notifier(undefined, undefined, log)
  }

  /** Started, or done with reloading, whether it served the new file or refused it. */
  ready(): void {
    this.#send('READY=1')
  }

  reloading(): void {
    // libuv's clock is CLOCK_MONOTONIC, which is the one that systemd compares with.
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`)
  }

  stopping(): void {
    this.#send('STOPPING=1')
  }

  /** One line for `systemctl status`. */
  status(text: string): void {
    this.#send(`STATUS=${text.slice(0, MAX_STATUS_CHARACTERS).replace(/\p{Cc}+/gu, ' ')}`)
  }

  /** Asks for `usec` more microseconds from now, while it starts, reloads or stops. */
  extendTimeout(usec: number): void {
    this.#send(`EXTEND_TIMEOUT_USEC=${Math.ceil(usec)}`)
  }

  /** Alive. Call it every {@link Notifier.watchdogIntervalMs} for as long as all workers are. */
  watchdog(): void {
    this.#send('WATCHDOG=1')
  }

  close(): void {
    this.#socket?.close()
  }

  #send(text: string): void {
    const result = this.#socket?.send(text) ?? 0
    if (result < 0) this.#log.debug('Cannot notify systemd', { error: errnoName(-result), notification: text })
  }
}

function readWatchdog(environment: Environment): number | undefined {
  const usec = Number(environment.WATCHDOG_USEC)
  const pid = environment.WATCHDOG_PID
  if (!Number.isFinite(usec) || usec <= 0) return undefined
  if (pid !== undefined && pid !== '' && Number(pid) !== process.pid) return undefined
  return usec / 2000
}
