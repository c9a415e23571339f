import type { Logger } from '../observe/logger.ts'

/** What signals ask of the program. */
export interface SignalActions {
  reload(): void
  reopenLogs(): void
  /** SIGTERM or SIGINT, the first time. */
  shutdown(signal: NodeJS.Signals): void
}

/**
 * Takes the signals from now on. Those that come before {@link Signals.attach} are remembered and carried out then, so
 * that none is lost while the program starts.
 */
export class Signals {
  #actions: SignalActions | null = null
  #reloadAsked = false
  #reopenAsked = false
  #stopAsked: NodeJS.Signals | null = null

  readonly #exitAtOnce: () => void

  /** `exitAtOnce` is what a second SIGTERM or SIGINT leads to. */
  constructor(exitAtOnce: () => void) {
    this.#exitAtOnce = exitAtOnce
    process.on('SIGHUP', () => this.#onReload())
    process.on('SIGUSR2', () => this.#onReopen())
    process.on('SIGTERM', () => this.#onStop('SIGTERM'))
    process.on('SIGINT', () => this.#onStop('SIGINT'))
  }

  /** Carries out what was asked so far, and what will be. */
  attach(actions: SignalActions, log: Logger): void {
    this.#actions = actions
    if (this.#stopAsked !== null) actions.shutdown(this.#stopAsked)
    else if (this.#reloadAsked) actions.reload()
    if (this.#reopenAsked) actions.reopenLogs()
    log.debug('Signals are taken: SIGHUP reloads, SIGUSR2 reopens logs, SIGTERM and SIGINT stop')
  }

  #onReload(): void {
    this.#reloadAsked = true
    this.#actions?.reload()
  }

  #onReopen(): void {
    this.#reopenAsked = true
    this.#actions?.reopenLogs()
  }

  #onStop(signal: NodeJS.Signals): void {
    if (this.#stopAsked !== null) this.#exitAtOnce()
    else this.#actions?.shutdown(signal)
    this.#stopAsked = signal
  }
}
