import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLEXCLUSIVE, EPOLLIN } from '#src/kernel/constants.js'
import { createEpollEvents, Libc } from '#src/kernel/libc.js'
import { bindSocket, listenOn } from '#src/kernel/listening-socket.js'

/**
 * How workers can share a port, measured: one listening socket with EPOLLEXCLUSIVE, the same with the listener taken
 * out of epoll and in again after every 16 accepts, and a socket for each worker with SO_REUSEPORT.
 *
 * `node build/bench/listener-sharing.js` prints, for each: how 1,000 connections that come 1 ms apart spread over 4
 * workers, how many connections a second four workers accept, and how many of 200 that wait are lost when one worker
 * goes.
 */
type Mode = 'exclusive' | 'exclusive, rotated' | 'reuseport'

interface Task {
  readonly mode: Mode
  readonly listener: number
  /** Accepted connections, and 1 in `stop` ends the worker. */
  readonly counts: SharedArrayBuffer
  readonly id: number
}

const WORKERS = 4
const ROTATE_AFTER = 16
const STOP_CELL = WORKERS
const ACCEPTING_CELL = WORKERS + 1
const modes: readonly Mode[] = ['exclusive', 'exclusive, rotated', 'reuseport']

if (isMainThread) await main()
else acceptAll(workerData as Task)

/** The worker: accepts and closes, as fast as it can. */
function acceptAll({ mode, listener, counts, id }: Task): void {
  const kernel = new Libc()
  const cells = new Int32Array(counts)
  const epoll = kernel.epollCreate()
  const events = createEpollEvents(kernel, 8)
  const sockaddr = Buffer.allocUnsafeSlow(128)
  const at = kernel.addressOf(sockaddr)
  const watch = (operation: number) => kernel.epollCtl(epoll, operation, listener, EPOLLIN | EPOLLEXCLUSIVE, 0, 0)
  watch(EPOLL_CTL_ADD)
  for (let accepted = 0; Atomics.load(cells, STOP_CELL) === 0; ) {
    kernel.epollWait(epoll, events, 50)
    if (Atomics.load(cells, ACCEPTING_CELL) === 0) continue
    for (let n = 0; n < ROTATE_AFTER; n++) {
      const fd = kernel.accept(listener, at)
      if (fd < 0) break
      kernel.close(fd)
      Atomics.add(cells, id, 1)
      if (++accepted % ROTATE_AFTER === 0 && mode === 'exclusive, rotated') {
        watch(EPOLL_CTL_DEL)
        watch(EPOLL_CTL_ADD)
      }
    }
  }
  process.exit(sockaddr.length === 0 ? 1 : 0)
}

async function main(): Promise<void> {
  const rows = []
  for (const mode of modes) rows.push(await measure(mode))
  console.table(rows)
}

async function measure(mode: Mode) {
  const { kernel, listeners, port, cells, workers } = start(mode)
  Atomics.store(cells, ACCEPTING_CELL, 1)
  await pause(300)
  for (let n = 0; n < 1000; n++) {
    await connectOnce(port)
    await pause(1)
  }
  const spread = [...cells.subarray(0, WORKERS)]
  const before = spread.reduce((sum, count) => sum + count, 0)
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: 16 }, () => connectUntil(port, startedAt + 3000)))
  const accepted = [...cells.subarray(0, WORKERS)].reduce((sum, count) => sum + count, 0) - before
  const perSecond = Math.round(accepted / ((performance.now() - startedAt) / 1000))
  Atomics.store(cells, ACCEPTING_CELL, 0)
  await pause(100)
  const lost = await loseOne(kernel, listeners, port)
  Atomics.store(cells, STOP_CELL, 1)
  await Promise.all(workers.map((worker) => once(worker, 'exit')))
  for (const fd of new Set(listeners)) kernel.close(fd)
  return { mode, spread: spread.join('/'), 'accepts/s': perSecond, 'lost of 200 when a worker goes': lost }
}

function start(mode: Mode) {
  const kernel = new Libc()
  const address = { family: 'ipv4', host: '127.0.0.1', port: 17_000 + modes.indexOf(mode) } as const
  const open = () => {
    const fd = bindSocket(address, { keepAliveMs: Number.POSITIVE_INFINITY, reusePort: mode === 'reuseport' })
    if (fd < 0 || listenOn(fd, 4096) < 0) throw new Error(`Cannot listen on port ${address.port}`)
    return fd
  }
  const shared = mode === 'reuseport' ? -1 : open()
  const listeners = Array.from({ length: WORKERS }, () => (mode === 'reuseport' ? open() : shared))
  const counts = new SharedArrayBuffer(4 * (WORKERS + 2))
  const workers = listeners.map((listener, id) => {
    const task: Task = { mode, listener, counts, id }
    return new Worker(new URL(import.meta.url), { workerData: task })
  })
  return { kernel, listeners, port: address.port, cells: new Int32Array(counts), workers }
}

/** 200 clients wait in the backlog; the socket that only one worker had is closed. Returns how many are reset. */
async function loseOne(kernel: Libc, listeners: readonly number[], port: number): Promise<number> {
  let lost = 0
  const clients = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const socket = connect(port, '127.0.0.1')
      await once(socket, 'connect')
      socket.on('error', () => {
        lost++
      })
      return socket
    }),
  )
  if (new Set(listeners).size > 1) kernel.close(listeners[0]!)
  await pause(200)
  for (const client of clients) client.destroy()
  return lost
}

function connectOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', reject)
    socket.resume().once('close', () => resolve())
    socket.once('end', () => socket.destroy())
  })
}

async function connectUntil(port: number, endMs: number): Promise<void> {
  while (performance.now() < endMs) await connectOnce(port)
}
