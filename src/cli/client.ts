import { parseTarget, runClient } from '../lab/client.ts'
import { ExitCode } from './exit-code.ts'

/** `mcs-lb client`: exits 0 when the connection has ended, 1 where it failed, 2 where the address is none. */
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
    process.stderr.write(`Cannot talk to ${target}: ${error instanceof Error ? error.message : error}\n`)
    return ExitCode.failure
  }
}
