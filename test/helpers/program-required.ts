import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'node:test'

/** Whether `program` is in PATH. Where it is not, the test is skipped, and says on stderr what it went without. */
export function hasProgram(t: TestContext, program: string): boolean {
  const found = (process.env.PATH ?? '').split(delimiter).some((directory) => isExecutable(join(directory, program)))
  if (found) return true
  process.stderr.write(`SKIPPED for want of ${program}: ${t.name}\n`)
  t.skip(`${program} is not installed`)
  return false
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
