import { loadConfig } from '../config/load.ts'
import { formatAddress } from '../model/address.ts'
import type { Config } from '../model/config.ts'
import { ConfigError, type ConfigIssue, McsError } from '../model/errors.ts'
import { ExitCode } from './exit-code.ts'
import { printIssues, printJson, printLine } from './print.ts'

/** `mcs-lb check`: every fault of the file at once; exits 0 or 78 and starts nothing. */
export async function check(options: { readonly config: string; readonly json?: boolean }): Promise<ExitCode> {
  const result = await load(options.config)
  const issues = 'issues' in result ? result.issues : []
  if (options.json) printJson({ valid: issues.length === 0, issues })
  else if ('config' in result) printLine(describe(options.config, result.config))
  else await printIssues(issues)
  return issues.length === 0 ? ExitCode.good : ExitCode.badConfig
}

async function load(file: string): Promise<{ config: Config } | { issues: readonly ConfigIssue[] }> {
  try {
    return { config: await loadConfig(file) }
  } catch (error) {
    if (error instanceof ConfigError) return { issues: error.issues }
    // A file that cannot be read has one fault: itself.
    if (error instanceof McsError) {
      return { issues: [{ file, line: 1, column: 1, path: '', message: error.message, hint: '' }] }
    }
    throw error
  }
}

function describe(file: string, config: Config): string {
  const backends = config.upstreams.reduce((sum, upstream) => sum + upstream.servers.length, 0)
  const found = config.upstreams.filter(({ discovery }) => discovery !== null)
  const servers = `${plural(backends, 'server')}${found.length > 0 ? ' and those that discovery finds' : ''}`
  const totals = [count(config.listeners, 'listener'), count(config.upstreams, 'upstream'), servers]
  const listeners = config.listeners.map(
    ({ name, bind, upstream }) => `  ${name}: ${bind.map(formatAddress).join(', ')} → ${upstream}`,
  )
  return [`${file} is valid: ${totals.join(', ')}, ${plural(config.workers, 'worker')}`, ...listeners].join('\n')
}

function count(items: readonly unknown[], word: string): string {
  return plural(items.length, word)
}

function plural(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
