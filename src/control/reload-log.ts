import type { Logger } from '../observe/logger.ts'
import type { ReloadFault, ReloadResult, ReloadTrigger } from './service.ts'

/** What a reload came upon. */
export interface ReloadCircumstances {
  readonly trigger: ReloadTrigger
  /** Whether the reload before it was refused. */
  readonly wasRefused: boolean
  /** What goes on where this one is refused. */
  readonly state: 'nothing' | 'serving' | 'draining'
}

const refusals: Readonly<Record<ReloadCircumstances['state'], string>> = {
  nothing: 'Cannot start',
  serving: 'Refused the configuration; the earlier one goes on serving',
  draining: 'Refused the configuration; the process is stopping',
}

/** Tells the log what has come of a reload. */
export function logReload(log: Logger, result: ReloadResult, circumstances: ReloadCircumstances): void {
  const { trigger, wasRefused, state } = circumstances
  const { generation } = result
  switch (result.outcome) {
    case 'serving':
      log.info('Serving', { generation, trigger, durationMs: result.durationMs })
      return
    case 'unchanged':
      if (wasRefused)
        log.info(`Already serving generation ${generation}; the file is good again`, { trigger, since: result.since })
      else {
        const level = trigger === 'file' ? 'debug' : 'info'
        log[level](`Already serving generation ${generation}`, { trigger, since: result.since })
      }
      return
    case 'refused':
      for (const fault of result.errors) log.error(faultText(fault), { code: fault.code })
      log.error(refusals[state], { generation, trigger, errors: result.errors.length })
  }
}

/** One line for a fault: its place, what is wrong, and what would do. */
export function faultText(fault: Omit<ReloadFault, 'code'>): string {
  const place = fault.file === undefined ? '' : `${fault.file}:${fault.line}:${fault.column}: `
  const path = fault.path === undefined || fault.path === '' ? '' : `${fault.path}: `
  return `${place}${path}${fault.message}${fault.hint === '' ? '' : `; ${fault.hint}`}`
}
