import { format } from 'node:util'
import type { Logger } from '../observe/logger.ts'

const maxTexts = 100
const maxCharacters = 500

/** What the client of Redis says where a user may not ask for the role; nobody can follow its advice here. */
const roleUnknown = /^Skipping the ready check because INFO command fails: "(.*?)"\..*$/
const roleRemedy = 'Cannot see whether the Redis that Sentinel names is the master: $1; allow its user +info'

/**
 * Has what libraries print to the console become lines of the log, each text once: printed, it would stand among them
 * as what no reader of the log understands.
 */
export function logConsole(log: Logger): void {
  const told = new Set<string>()
  const tell = (...parts: readonly unknown[]): void => {
    // It may quote what came from a network.
    const message = format(...parts)
      .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
      .replace(/^\[[A-Za-z]+\] /, '')
      .replace(roleUnknown, roleRemedy)
      .slice(0, maxCharacters)
    if (told.has(message) || told.size === maxTexts) return
    told.add(message)
    log.warn(message)
  }
  for (const name of ['log', 'info', 'warn', 'error'] as const) console[name] = tell
}
