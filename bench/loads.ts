import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type LatencyResult, parseH2loadLog, parseIperf, parseWrk, type WrkResult } from './parse.ts'
import type { Sandbox } from './sandbox.ts'

const run = promisify(execFile)
const CLIENTS = 32
/** What is left out at the start of a latency run, while connections are made. */
const WARM_UP_MS = 200

/** 32 clients that ask as fast as they are answered, on connections that stay open or that last one request. */
export async function askHttp(port: number, seconds: number, kind: 'keep-alive' | 'close'): Promise<WrkResult> {
  const header = kind === 'close' ? ['-H', 'Connection: close'] : []
  const { stdout } = await run('wrk', ['-t1', `-c${CLIENTS}`, `-d${seconds}`, ...header, `http://127.0.0.1:${port}/`])
  return parseWrk(stdout)
}

/** 32 clients that together ask `perSecond` times a second, whatever the answers take. */
export async function askAtRate(
  sandbox: Sandbox,
  port: number,
  seconds: number,
  perSecond: number,
): Promise<LatencyResult> {
  const log = join(sandbox.directory, `h2load-${port}.log`)
  // h2load appends to what an earlier run has left.
  await rm(log, { force: true })
  const pace = ['-t1', `-c${CLIENTS}`, `--rps=${Math.max(1, Math.round(perSecond / CLIENTS))}`, `-D${seconds}`]
  await run('h2load', ['--h1', ...pace, `--log-file=${log}`, `http://127.0.0.1:${port}/`])
  return parseH2loadLog(await readFile(log, 'utf8'), WARM_UP_MS)
}

/** Gbit/s from client to backend over one connection. */
export async function sendBulk(port: number, seconds: number): Promise<number> {
  const { stdout } = await run('iperf3', ['--json', '-c', '127.0.0.1', '-p', `${port}`, '-t', `${seconds}`])
  return parseIperf(stdout)
}

/** Opens `count` connections, makes one request on each, and leaves them open until `close`. */
export async function openIdle(port: number, count: number): Promise<{ close(): void }> {
  const sockets: Socket[] = []
  const openSome = async () => {
    while (sockets.length < count) {
      const socket = connect(port, '127.0.0.1')
      sockets.push(socket)
      await askOnce(socket)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, openSome))
  return {
    close: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}

function askOnce(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('An idle connection was closed before it was answered')))
    socket.once('data', () => {
      socket.removeAllListeners('close')
      resolve()
    })
    socket.write('GET / HTTP/1.1\r\nHost: bench\r\n\r\n')
  })
}
