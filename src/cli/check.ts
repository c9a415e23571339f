import { type LoadedConfig, loadConfig } from '../config/load.ts'
import { formatAddress } from '../model/address.ts'
import type { Config } from '../model/config.ts'
import { ConfigError, McsError } from '../model/errors.ts'
import { ExitCode } from './exit-code.ts'
import { printIssues, printJson, printLine, printWarnings } from './print.ts'

export interface CheckOptions {
  readonly config: string
  readonly json?: boolean
  /** Whether warnings are as bad as errors. */
  readonly strict?: boolean
}

/** `mcs-lb check`: every fault of the file at once, or its warnings; exits 0 or 78 and starts nothing. */
export async function check(options: CheckOptions): Promise<ExitCode> {
  try {
    const loaded = await loadConfig(options.config)
    if (options.json) printJson({ valid: true, issues: [], warnings: loaded.warnings })
    else await printGood(options.config, loaded)
    return options.strict && loaded.warnings.length > 0 ? ExitCode.badConfig : ExitCode.good
  } catch (error) {
    if (!(error instanceof McsError)) throw error
    if (options.json) printJson({ valid: false, issues: describeFaults(options.config, error), warnings: [] })
    else if (error instanceof ConfigError) await printIssues(error.issues)
    else throw error
    return ExitCode.badConfig
  }
}

async function printGood(file: string, { config, warnings }: LoadedConfig): Promise<void> {
  printLine(describe(file, config))
  if (warnings.length === 0) return
  printLine(`${count(warnings, 'warning')}:`)
  await printWarnings(warnings)
}

/** A file that cannot be read has one fault, which stands nowhere in it. */
function describeFaults(file: string, error: McsError): unknown[] {
  const { code } = error
  if (error instanceof ConfigError) return error.issues.map((issue) => ({ code, ...issue }))
  return [{ code, file, message: error.message }]
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
