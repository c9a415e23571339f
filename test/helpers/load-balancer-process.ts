import type { ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { adminRequest } from '#src/admin/client.js'
import type { BackendStatus, ReloadResult, ServiceStatus } from '#src/control/service.js'
import { spawnChild } from './child-process.ts'
import { atEnd, type Cleanup } from './cleanup.ts'
import { harshPrefix, patience } from './harsh.ts'
import { temporaryDirectory } from './temporary-directory.ts'
import { waitUntil } from './wait-until.ts'
import { within } from './within.ts'

const program = fileURLToPath(import.meta.resolve('#src/main.js'))
const START_TIMEOUT_MS = 20_000 * patience
const LOG_TIMEOUT_MS = 5000 * patience
/** Longer than the drain of any test. */
const EXIT_TIMEOUT_MS = 30_000 * patience

export interface StartOptions {
  /** What the file says beside `version`, `log`, `accessLog`, `admin`, `shutdown` and `state`, which the helper adds. */
  readonly config: string
  /** Put before the program, in place of what {@link harshPrefix} asks for: `['strace', '-f', …]`. */
  readonly prefix?: readonly string[]
  /** Given to node before the program: `['--import', …]`. */
  readonly nodeOptions?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** The whole file, where the helper is to add nothing but `@DIR@`. */
  readonly raw?: boolean
  /** Where the file is in the directory of the process; `lb.yaml` unless given. */
  readonly file?: string
  /** Called with the directory before the file is first written: to lay symbolic links, say. */
  readonly prepare?: (directory: string) => void
}

/** The built program as a child process, with a file, an access log and an admin socket of its own. */
export class LoadBalancerProcess {
  readonly directory: string
  readonly configFile: string
  readonly child: ChildProcess
  readonly #raw: boolean
  #stderr = ''
  #exit: Promise<number | null>

  /** Starts it without waiting for it. It is killed when the test ends. */
  constructor(t: Cleanup, options: StartOptions) {
    this.directory = temporaryDirectory(t)
    this.configFile = join(this.directory, options.file ?? 'lb.yaml')
    this.#raw = options.raw ?? false
    mkdirSync(dirname(this.configFile), { recursive: true })
    options.prepare?.(this.directory)
    this.writeConfig(options.config)
    const [command, ...args] = [
      ...(options.prefix ?? harshPrefix()),
      process.execPath,
      ...(options.nodeOptions ?? []),
      program,
      'run',
      '--config',
      this.configFile,
    ]
    this.child = spawnChild(command!, args, {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: { ...process.env, ...options.env },
    })
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    // Not at 'exit': what it said last may not have been read by then.
    this.#exit = new Promise((resolve) => this.child.once('close', (code) => resolve(code)))
    atEnd(t, async () => {
      this.child.kill('SIGKILL')
      await this.#exit
    })
  }

  /** Starts it and waits until it serves. */
  static async start(t: Cleanup, options: StartOptions | string): Promise<LoadBalancerProcess> {
    const lb = new LoadBalancerProcess(t, typeof options === 'string' ? { config: options } : options)
    await waitUntil(
      'the load balancer serves',
      async () => {
        if (lb.child.exitCode !== null) throw new Error(`it ended with ${lb.child.exitCode}:\n${lb.stderr}`)
        return (await lb.tryStatus())?.state === 'serving'
      },
      START_TIMEOUT_MS,
    )
    return lb
  }

  get pid(): number {
    return this.child.pid!
  }

  get adminSocket(): string {
    return join(this.directory, 'admin.sock')
  }

  get accessLogFile(): string {
    return join(this.directory, 'access.log')
  }

  /** What the program has logged. */
  get stderr(): string {
    return this.#stderr
  }

  /** Resolves with the exit code, null where a signal ended it; rejects where it goes on for long. */
  get exited(): Promise<number | null> {
    return within(EXIT_TIMEOUT_MS, 'the load balancer ends', this.#exit)
  }

  /** The text of the file for a `config` as {@link StartOptions} has it. */
  textOf(config: string): string {
    const text = config.replaceAll('@DIR@', this.directory)
    if (this.#raw) return text
    const preset: Record<string, string> = {
      version: '1',
      workers: '1',
      log: '{ level: debug, format: text }',
      accessLog: `{ to: ${this.accessLogFile}, format: json }`,
      admin: `{ socket: ${this.adminSocket} }`,
      shutdown: '{ drain: 2s }',
      state: '{ directory: none }',
    }
    const missing = Object.entries(preset).filter(([key]) => !new RegExp(`^${key}:`, 'm').test(text))
    return `${missing.map(([key, value]) => `${key}: ${value}`).join('\n')}\n${text}`
  }

  /** Writes the file: in place, or as vim does by a rename over it. */
  writeConfig(config: string, how: 'in-place' | 'rename' = 'in-place'): void {
    if (how === 'in-place') {
      writeFileSync(this.configFile, this.textOf(config))
      return
    }
    writeFileSync(`${this.configFile}.new`, this.textOf(config))
    renameSync(`${this.configFile}.new`, this.configFile)
  }

  /** Asks for a reload and returns its answer. */
  async reload(config?: string): Promise<ReloadResult> {
    if (config !== undefined) this.writeConfig(config)
    return (await adminRequest(this.adminSocket, 'POST', '/reload')).body as ReloadResult
  }

  async status(): Promise<ServiceStatus> {
    return (await adminRequest(this.adminSocket, 'GET', '/status')).body as ServiceStatus
  }

  /** The backends of the first upstream; not those that it has no more, and that wait for their connections to end. */
  async servingBackends(): Promise<readonly BackendStatus[]> {
    return (await this.status()).upstreams[0]!.backends.filter(({ state }) => state !== 'removed')
  }

  async tryStatus(): Promise<ServiceStatus | undefined> {
    try {
      return await this.status()
    } catch {
      return undefined
    }
  }

  /** The lines of the JSON access log, once there are `count` of them. */
  async accessLog(count: number): Promise<Record<string, unknown>[]> {
    const lines = () => {
      try {
        return readFileSync(this.accessLogFile, 'utf8').split('\n').filter(Boolean)
      } catch {
        return []
      }
    }
    await waitUntil(`${count} lines in the access log`, () => lines().length >= count, LOG_TIMEOUT_MS)
    return lines().map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  /** Waits until the log has a line like this. */
  async logged(pattern: RegExp): Promise<void> {
    await waitUntil(`the log has ${pattern}`, () => pattern.test(this.#stderr), LOG_TIMEOUT_MS)
  }

  /** Sends SIGTERM and returns the exit code. */
  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM')
    return this.exited
  }
}
