import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { firstEphemeralPort } from './procfs.ts'

/** A program that the bench started. */
export interface Running {
  readonly pid: number
  stop(): Promise<void>
}

/** One temporary folder, the ports handed out, and every program started; `close` leaves nothing of it. */
export class Sandbox {
  readonly directory = mkdtempSync(join(tmpdir(), 'mcs-lb-bench-'))
  readonly #running = new Set<Running>()
  readonly #ports = new Set<number>()

  /** Writes a file into the folder and returns its path. */
  write(name: string, text: string): string {
    const path = join(this.directory, name)
    writeFileSync(path, text)
    return path
  }

  /** A TCP port of 127.0.0.1 that is free, and that no outgoing connection can take before its program starts. */
  async freePort(): Promise<number> {
    const [least, end] = [10_000, Math.max(12_000, firstEphemeralPort())]
    for (let tries = 0; tries < 1000; tries++) {
      const port = least + Math.floor(Math.random() * (end - least))
      if (this.#ports.has(port) || !(await canListen(port))) continue
      this.#ports.add(port)
      return port
    }
    throw new Error(`No free port between ${least} and ${end}`)
  }

  /** Starts a program and waits until it accepts on every port of `ports`. Its output goes to NAME.log. */
  async start(name: string, command: readonly string[], ports: readonly number[]): Promise<Running> {
    const log = join(this.directory, `${name}.log`)
    const output = openSync(log, 'a')
    const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', output, output], cwd: this.directory })
    closeSync(output)
    const spawned = once(child, 'spawn')
    await spawned
    const running: Running = {
      pid: child.pid ?? 0,
      stop: async () => {
        this.#running.delete(running)
        await stop(child)
      },
    }
    this.#running.add(running)
    for (const port of ports) await untilAccepting(name, port, child, log)
    return running
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((each) => each.stop()))
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** SIGTERM, once more for programs that drain on the first, then SIGKILL. */
async function stop(child: ChildProcess): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGTERM', 'SIGKILL'] as const) {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await Promise.race([exited, delay(2000, undefined, { ref: false })])
  }
}

async function untilAccepting(name: string, port: number, child: ChildProcess, log: string): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await accepts(port))) {
    const over = child.exitCode !== null || Date.now() > deadline
    if (over) throw new Error(`${name} does not accept on port ${port}:\n${readFileSync(log, 'utf8').slice(-2000)}`)
    await delay(20)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => resolve(false))
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.on('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
