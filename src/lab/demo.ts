import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { type DemoBackend, startDemoBackend } from './backends.ts'
import { ChildProgram } from './child-program.ts'
import { demoConfig } from './demo-config.ts'
import { findFreePort } from './free-port.ts'

export interface DemoOptions {
  /** Where the load balancer listens on 127.0.0.1; 0 for a port that is free. */
  readonly port: number
  /** The load balancer's program and its first arguments: `node dist/main.js`. */
  readonly program: readonly [string, ...string[]]
  /** Takes a text for the person who watches. */
  print(text: string): void
}

/**
 * Runs three backends in this process and the load balancer in a child, until the child ends; SIGINT, SIGTERM and
 * SIGHUP end it. Nothing is written but a fresh directory, which is removed again unless its lb.yaml was edited.
 *
 * @returns What the child exited with; 128 and the signal's number where one killed it.
 * @throws {McsError} MCS_BIND_FAILED where the port is taken.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const port = await findFreePort(options.port)
  const backends = await Promise.all(['B1', 'B2', 'B3'].map(startDemoBackend))
  const directory = await mkdtemp(join(tmpdir(), 'mcs-lb-demo-'))
  const file = join(directory, 'lb.yaml')
  const text = demoConfig(port, backends)
  try {
    await writeFile(file, text)
    options.print(introduction(port, backends, file, options.program))
    const [program, ...args] = options.program
    const child = new ChildProgram(program, [...args, 'run', '--config', file])
    // The backends end their connections first, so that the load balancer has nothing left to drain.
    return await child.run(() => stopAll(backends))
  } finally {
    await stopAll(backends)
    await removeUnlessEdited(directory, file, text, options)
  }
}

function introduction(
  port: number,
  backends: readonly DemoBackend[],
  file: string,
  program: DemoOptions['program'],
): string {
  const command = commandLine(program)
  return `
  127.0.0.1:${port}  →  ${backends.map((backend) => `${backend.name} 127.0.0.1:${backend.port}`).join(', ')}

Try, in another terminal:

  nc 127.0.0.1 ${port}
      Type a line: a backend echoes it with its name. Connect again: the next backend answers.
  ${command} client 127.0.0.1:${port}
      The same where there is no nc.
  ${command} status --config ${file}
      What is served, and by whom.

Edit and save ${file}
      It is served at once, and open connections live on.

Ctrl-C ends the demo.
`
}

function commandLine([program, ...args]: DemoOptions['program']): string {
  const name = program === process.execPath ? 'node' : program
  return [name, ...args.map((arg) => relative(process.cwd(), arg) || arg)].join(' ')
}

async function stopAll(backends: readonly DemoBackend[]): Promise<void> {
  await Promise.all(backends.map((backend) => backend.stop()))
}

async function removeUnlessEdited(directory: string, file: string, text: string, options: DemoOptions): Promise<void> {
  const isEdited = (await readFile(file, 'utf8').catch(() => text)) !== text
  if (isEdited) options.print(`You changed ${file}, so it is kept.`)
  else await rm(directory, { recursive: true, force: true })
}
