import type { ReloadFault, ReloadResult } from '../control/service.ts'
import type { ConfigIssue } from '../model/errors.ts'
import { askProcess } from './admin-socket.ts'
import { isReloadAnswer, refuse } from './answer.ts'
import { ExitCode } from './exit-code.ts'
import { harmless } from './harmless.ts'
import { printIssues, printJson, printLine } from './print.ts'
import type { AdminCommandOptions } from './program.ts'

/** `mcs-lb reload`: waits for the running process's answer and exits by it: 0, or 78 where it refused the file. */
export async function reload(options: AdminCommandOptions): Promise<ExitCode> {
  const { socket, answer } = await askProcess(options, 'POST', '/reload')
  if (!isReloadAnswer(answer)) throw refuse(socket, 'reload', answer)
  const result = answer.body
  if (options.json) printJson(withoutEmptyHints(result))
  else await printResult(result)
  return exitCodeOf(result)
}

/** A fault that nothing helps against has no hint, rather than an empty one. */
function withoutEmptyHints(result: ReloadResult): unknown {
  if (result.outcome !== 'refused') return result
  const errors = result.errors.map(({ hint, ...fault }) => (hint === '' ? fault : { ...fault, hint }))
  return { ...result, errors }
}

async function printResult(result: ReloadResult): Promise<void> {
  switch (result.outcome) {
    case 'serving':
      printLine(`Serving generation ${result.generation} (prepared in ${Math.round(result.durationMs)} ms).`)
      return printWarnings(result.warnings)
    case 'unchanged':
      printLine(
        `Already serving generation ${result.generation}, since ${harmless(result.since)}: the file says nothing new.`,
      )
      return printWarnings(result.warnings)
    case 'refused':
      await printFaults(result.errors)
      return printLine(`Refused; nothing has changed in generation ${result.generation}.`)
  }
}

function printWarnings(warnings: readonly string[]): void {
  for (const warning of warnings) printLine(`warning: ${harmless(warning)}`)
}

async function printFaults(faults: readonly ReloadFault[]): Promise<void> {
  const issues = faults.filter(isInFile).map(toIssue)
  if (issues.length > 0) await printIssues(issues)
  for (const fault of faults.filter((candidate) => !isInFile(candidate))) {
    printLine(`${fault.code}: ${fault.message}${fault.hint === '' ? '' : `\n  ${fault.hint}`}`)
  }
}

/** 78 where the file is at fault, 1 where the machine is: the same as `mcs-lb run` would exit with. */
function exitCodeOf(result: ReloadResult): ExitCode {
  if (result.outcome !== 'refused') return ExitCode.good
  return result.errors.every(isOfFile) ? ExitCode.badConfig : ExitCode.failure
}

function isOfFile(fault: ReloadFault): boolean {
  return fault.code.startsWith('MCS_CONFIG_') || fault.code === 'MCS_LIMIT_EXCEEDED'
}

function isInFile(fault: ReloadFault): fault is ReloadFault & { readonly file: string } {
  return fault.file !== undefined
}

function toIssue(fault: ReloadFault & { readonly file: string }): ConfigIssue {
  return {
    file: fault.file,
    line: fault.line ?? 1,
    column: fault.column ?? 1,
    path: fault.path ?? '',
    message: fault.message,
    hint: fault.hint,
  }
}
