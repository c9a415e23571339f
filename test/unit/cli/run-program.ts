import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { spawnChild } from '../../helpers/child-process.ts'

/** The built program. */
export const mainPath = fileURLToPath(import.meta.resolve('#src/main.js'))

export interface ProgramResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs `mcs-lb ARGS` to its end with `input` on stdin; where that is null, stdin stays open and silent. MCS_LB_CONFIG is
 * unset unless `env` sets it.
 */
export async function runProgram(
  args: readonly string[],
  { env = {}, input = '' }: { env?: NodeJS.ProcessEnv; input?: string | null } = {},
): Promise<ProgramResult> {
  const { MCS_LB_CONFIG: _, NO_COLOR: __, ...inherited } = process.env
  const child = spawnChild(process.execPath, [mainPath, ...args], { env: { ...inherited, ...env } })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  if (input !== null) child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}
