import { askProcess } from './admin-socket.ts'
import { isStatusAnswer, refuse } from './answer.ts'
import { ExitCode } from './exit-code.ts'
import { printJson, printLine } from './print.ts'
import type { AdminCommandOptions } from './program.ts'
import { formatStatus } from './status-text.ts'

/** `mcs-lb status`: tables for people, or `--json` as the process gave it. */
export async function status(options: AdminCommandOptions): Promise<ExitCode> {
  const { socket, answer } = await askProcess(options, 'GET', '/status')
  if (!isStatusAnswer(answer)) throw refuse(socket, 'get the status of', answer)
  if (options.json) printJson(answer.body)
  else printLine(formatStatus(answer.body))
  return ExitCode.good
}
