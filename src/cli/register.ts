import { once } from 'node:events'
import { type RegisterOptions, type Registration, register as startRegistration } from '../discovery/register.ts'
import { McsError } from '../model/errors.ts'
import { ExitCode } from './exit-code.ts'
import { printLine } from './print.ts'

/** What the command line gives beside the options of {@link startRegistration}. */
export interface RegisterCommandOptions extends Omit<RegisterOptions, 'redis' | 'ttlMs' | 'intervalMs' | 'onState'> {
  readonly redis: string
  /** Milliseconds, as are those of `interval`. */
  readonly ttl: number
  readonly interval: number
  readonly ca?: string
  readonly serverName?: string
}

/** `mcs-lb register`: heartbeats until SIGTERM or SIGINT, then removes its entry and exits 0; 2 where an option is wrong. */
export async function register(options: RegisterCommandOptions): Promise<ExitCode> {
  const { redis: url, ttl, interval, ca = 'system', serverName = '', ...rest } = options
  const stopped = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  const registration = await orWrongOption(
    startRegistration({
      ...rest,
      redis: { url, sentinel: null, cluster: null, tls: { serverName, ca, verify: true } },
      ttlMs: ttl,
      intervalMs: interval,
      onState: ({ registered, reason }) =>
        printLine(registered ? `registered ${options.address}` : `not registered, trying again: ${reason}`),
    }),
  )
  if (registration === null) return ExitCode.usage
  await stopped
  await registration.close()
  return ExitCode.good
}

/** Null where an option was wrong, which is said: there is no file whose fault it could be. */
async function orWrongOption(starting: Promise<Registration>): Promise<Registration | null> {
  try {
    return await starting
  } catch (error) {
    if (!(error instanceof McsError) || error.code !== 'MCS_CONFIG_INVALID') throw error
    process.stderr.write(`error: ${error.message}\n`)
    return null
  }
}
