import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { spawnChild } from './child-process.ts'
import { atEnd, type Cleanup } from './cleanup.ts'
import { waitUntil } from './wait-until.ts'

/**
 * Starts a server and waits until `ready` stands in what it prints. It is ended at the end, by `endedBy`.
 *
 * @throws with what it printed where it ends or is silent for too long.
 */
export async function startServer(
  t: Cleanup,
  program: string,
  args: readonly string[],
  ready: RegExp,
  options: SpawnOptions & { readonly endedBy?: NodeJS.Signals } = {},
): Promise<ChildProcess> {
  const { endedBy = 'SIGKILL', ...spawnOptions } = options
  const child = spawnChild(program, args, { ...spawnOptions, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'exit')
  atEnd(t, async () => {
    child.kill(endedBy)
    await ended
  })
  let printed = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    printed = (printed + chunk).slice(-16_384)
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    printed = (printed + chunk).slice(-16_384)
  })
  await waitUntil(`${program} is ready`, () => ready.test(printed) || child.exitCode !== null, 20_000)
  if (!ready.test(printed)) throw new Error(`${program} ended: ${printed}`)
  return child
}
