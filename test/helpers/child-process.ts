import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { waitUntil } from './wait-until.ts'

/**
 * As spawn() of node, with a child that does not outlive this process: a test file that is ended because it hangs would
 * otherwise leave its servers behind, and they hold the pipes that the runner waits for.
 */
export const spawnChild = ((command: string, args: readonly string[], options: object = {}) =>
  spawn('setpriv', ['--pdeathsig', 'KILL', '--', command, ...args], options)) as typeof spawn

/** Stops a process; SIGCONT resumes it. Resolves when none of its threads runs any more, which kill(2) does not wait for. */
export async function freeze(child: ChildProcess): Promise<void> {
  child.kill('SIGSTOP')
  await waitUntil(`process ${child.pid} stands still`, () => threadStates(child.pid!).every((state) => state === 'T'))
}

function threadStates(pid: number): (string | undefined)[] {
  const tasks = `/proc/${pid}/task`
  return readdirSync(tasks).map((task) => /^State:\t(\w)/m.exec(readFileSync(`${tasks}/${task}/status`, 'utf8'))?.[1])
}
