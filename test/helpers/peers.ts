import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * Options of a test that needs programs beside it (haproxy, nginx, redis-server, …): where one is not in PATH, the test
 * is skipped with the reason. With MCS_LB_REQUIRE_PEERS=1 it throws instead.
 */
export function needs(...programs: readonly string[]): { readonly skip?: string } {
  const missing = programs.find((program) => !isInPath(program))
  return missing === undefined ? {} : without(`${missing} is not installed`)
}

/** Options of a test that cannot run, because of `reason`: it is skipped. With MCS_LB_REQUIRE_PEERS=1 it throws. */
export function without(reason: string): { readonly skip: string } {
  if (process.env.MCS_LB_REQUIRE_PEERS === '1') throw new Error(`${reason}, and MCS_LB_REQUIRE_PEERS is set`)
  process.stderr.write(`SKIPPED: ${reason}\n`)
  return { skip: reason }
}

function isInPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => isExecutable(join(folder, program)))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
