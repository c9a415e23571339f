import { askProcess } from './admin-socket.ts'
import { refuse } from './answer.ts'
import { ExitCode } from './exit-code.ts'
import { printJson, printLine } from './print.ts'
import type { AdminCommandOptions } from './program.ts'

/** `mcs-lb reopen`: for logrotate's postrotate; exits 0 once the running process writes to the new files. */
export async function reopen(options: AdminCommandOptions): Promise<ExitCode> {
  const { socket, answer } = await askProcess(options, 'POST', '/reopen')
  if (answer.status !== 200) throw refuse(socket, 'reopen the logs of', answer)
  if (options.json) printJson(answer.body)
  else printLine('The log files are open again.')
  return ExitCode.good
}
