import { once } from 'node:events'
import {
  type RegisterOptions,
  type Registration,
  type RegistrationEnd,
  register as startRegistration,
} from '../discovery/register.ts'
import { McsError } from '../model/errors.ts'
import { ExitCode } from './exit-code.ts'
import { printLine } from './print.ts'

/** What the command line gives beside the options of {@link startRegistration}. */
export interface RegisterCommandOptions extends Omit<RegisterOptions, 'redis' | 'ttlMs' | 'intervalMs' | 'onState'> {
  readonly redis: string
  /** Milliseconds, as are those of `interval`. */
  readonly ttl?: number
  readonly interval: number
  readonly ca?: string
  readonly serverName?: string
}

/** `mcs-lb register`: heartbeats until SIGTERM or SIGINT, then removes its entry and exits 0; 2 where an option is wrong. */
export async function register(options: RegisterCommandOptions): Promise<ExitCode> {
  const { redis: url, ttl, interval, ca = 'system', serverName = '', ...rest } = options
  let address = ''
  const stopped = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  const registration = await orWrongOption(
    startRegistration({
      ...rest,
      redis: { url, sentinel: null, cluster: null, tls: { serverName, ca, verify: true } },
      ...(ttl !== undefined && { ttlMs: ttl }),
      intervalMs: interval,
      onState: (state) => {
        address = state.address
        printLine(state.registered ? `registered ${address}` : `not registered, trying again: ${state.reason}`)
      },
    }),
  )
  if (registration === null) return ExitCode.usage
  await stopped
  const line = lineOf(await registration.close(), address)
  if (line !== null) printLine(line)
  return ExitCode.good
}

/** Null where there is nothing to say. */
function lineOf({ entry, reason }: RegistrationEnd, address: string): string | null {
  switch (entry) {
    case 'removed':
      return `removed ${address}`
    case 'gone':
      return `ended; the entry of ${address} had ended, or is another's by now`
    case 'left':
      return `ended; the entry of ${address} stays until it ends by its age: ${reason}`
    case 'unwritten':
      return null
  }
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
