import { parseTarget, runClient } from '../lab/client.ts'
import { McsError } from '../model/errors.ts'
import { ExitCode } from './exit-code.ts'

/**
 * `mcs-lb client`: exits 0 when the connection has ended, 2 where the address is none. Rejects with MCS_SYSTEM where the
 * connection failed.
 */
export async function client(target: string): Promise<ExitCode> {
  const address = parseTarget(target)
  if (address === null) {
    process.stderr.write(`error: "${target}" is not an address; give 127.0.0.1:64400, [::1]:64400 or unix:/path\n`)
    return ExitCode.usage
  }
  try {
    await runClient(address, process.stdin, process.stdout)
    return ExitCode.good
  } catch (error) {
    const message = `Cannot talk to ${target}: ${reasonOf(error)}`
    throw new McsError('MCS_SYSTEM', message, { source: 'system', retryable: true, cause: error })
  }
}

/** Where a name has several addresses the error has those of each, and no message of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
