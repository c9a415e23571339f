import { readFile } from 'node:fs/promises'
import type { WriteStream } from 'node:tty'
import { ConfigError, type ConfigIssue, McsError } from '../model/errors.ts'
import { formatIssues } from './check-report.ts'
import { ExitCode } from './exit-code.ts'

/** Prints a line, or several, to stdout. */
export function printLine(text: string): void {
  process.stdout.write(`${text}\n`)
}

/**
 * From now on output that cannot be written ends nothing: a full disk must not take a backend out of its registry. It
 * is said once on stderr, and makes the exit code 1 unless the command sets another one later. A reader that has gone,
 * as in `mcs-lb status | head -1`, is no failure.
 */
export function endureLostOutput(): void {
  let isTold = false
  process.stderr.on('error', () => {})
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || isTold) return
    isTold = true
    process.stderr.write(`MCS_SYSTEM: Cannot write the output: ${error.message}\n`)
    // After the command, which sets its own.
    setImmediate(() => {
      process.exitCode = ExitCode.failure
    })
  })
}

/** Prints a value as JSON to stdout. */
export function printJson(value: unknown): void {
  printLine(JSON.stringify(value, null, 2))
}

/** Prints faults of files, to stdout unless told, with the lines they stand in where the file can be read. */
export async function printIssues(issues: readonly ConfigIssue[], stream: WriteStream = process.stdout): Promise<void> {
  await printReport(issues, 'error', stream)
}

/** Prints warnings of files to stdout in the same way. */
export async function printWarnings(warnings: readonly ConfigIssue[]): Promise<void> {
  await printReport(warnings, 'warning', process.stdout)
}

async function printReport(
  issues: readonly ConfigIssue[],
  severity: 'error' | 'warning',
  stream: WriteStream,
): Promise<void> {
  const colour = wantsColour(stream)
  for (const [file, inFile] of groupByFile(issues)) {
    const text = await readFile(file, 'utf8').catch(() => null)
    stream.write(formatIssues(inFile, { colour, severity, ...(text !== null && { text }) }))
  }
}

function groupByFile(issues: readonly ConfigIssue[]): Map<string, ConfigIssue[]> {
  const groups = new Map<string, ConfigIssue[]>()
  for (const issue of issues) {
    const group = groups.get(issue.file)
    if (group === undefined) groups.set(issue.file, [issue])
    else group.push(issue)
  }
  return groups
}

/** Says on stderr why a command failed, and returns what to exit with. */
export async function printFailure(error: unknown): Promise<ExitCode> {
  if (error instanceof ConfigError) {
    await printIssues(error.issues, process.stderr)
    return ExitCode.badConfig
  }
  if (error instanceof McsError) {
    process.stderr.write(`${error.code}: ${error.message}\n`)
    return error.source === 'config' ? ExitCode.badConfig : ExitCode.failure
  }
  // Not one of the program's own errors, so a bug: the stack is what helps.
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : error}\n`)
  return ExitCode.failure
}

/** Colours are for a person at a terminal who has not declined them (no-color.org). */
function wantsColour(stream: WriteStream): boolean {
  return stream.isTTY === true && (process.env.NO_COLOR ?? '') === ''
}
