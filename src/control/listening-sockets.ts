import { lstatSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { Errno } from '../kernel/errno.ts'
import { Libc } from '../kernel/libc.ts'
import {
  admitNewClients,
  allowSharedBind,
  bindSocket,
  boundPort,
  forbidSharedBind,
  listenOn,
  refuseNewClients,
} from '../kernel/listening-socket.ts'
import { setKeepAlive } from '../kernel/socket-option.ts'
import { formatAddress, type SocketAddress } from '../model/address.ts'
import { bindFailed } from './bind-failed.ts'

/** What a listener wants of its sockets. */
export interface SocketWish {
  /** {@link socketKey}. */
  readonly key: string
  readonly listener: string
  readonly address: SocketAddress
  readonly backlog: number
  readonly keepAliveMs: number
}

/** A listening socket. It is kept by its key from one configuration to the next and never bound again. */
export interface OpenSocket {
  readonly id: number
  readonly fd: number
  readonly key: string
  /** Where it is bound: with the port that the kernel chose where the wish had 0. */
  readonly address: SocketAddress
  isListening: boolean
  /** While no configuration wants it: it takes no new clients, and is closed when the workers have let it go. */
  isRetiring: boolean
  /** Of a unix socket, the file that was bound: another program may have put its own in that place since. */
  readonly file: string | undefined
}

/**
 * What makes a wish of one configuration and one of the next the same socket: the address, whoever has it. With port 0 two
 * may have the same and be bound beside each other, so there it is the listener, and which of its binds it is.
 */
export function socketKey(listener: string, bind: number, address: SocketAddress): string {
  const text = formatAddress(address)
  return address.family !== 'unix' && address.port === 0 ? `${listener}#${bind} ${text}` : text
}

const kernel = new Libc()
const STALE_PROBE_MS = 1000

/** The listening sockets of the process, opened and closed by main alone. */
export class ListeningSockets {
  readonly #byKey = new Map<string, OpenSocket>()
  /** Unix sockets whose file is gone: they only wait to be let go, and their address is free, or bound anew. */
  readonly #unlinked = new Set<OpenSocket>()
  #lastId = 0

  /** The sockets that are open, retiring ones included. */
  list(): OpenSocket[] {
    return [...this.#byKey.values(), ...this.#unlinked]
  }

  /** Whether somebody has deleted the file of a unix socket that is served: no new client finds it. */
  get hasLostFiles(): boolean {
    return [...this.#byKey.values()].some(hasLostFile)
  }

  /**
   * Opens what is not open yet, or has lost its file, bound and not listening. Throws MCS_BIND_FAILED, having closed
   * what it opened. The result has the sockets by key, and `undo` for a reload that is given up.
   */
  async open(wishes: readonly SocketWish[]): Promise<{ sockets: ReadonlyMap<string, OpenSocket>; undo(): void }> {
    const opened: OpenSocket[] = []
    const replaced: OpenSocket[] = []
    const undo = () => {
      for (const socket of opened) this.close(socket)
      for (const socket of replaced) {
        this.#unlinked.delete(socket)
        this.#byKey.set(socket.key, socket)
      }
      this.endSharing()
    }
    const sockets = new Map<string, OpenSocket>()
    const wanted = new Set(wishes.map((wish) => wish.key))
    try {
      for (const wish of wishes) {
        const known = this.#byKey.get(wish.key)
        const isKept = known !== undefined && !hasLostFile(known)
        const socket = isKept ? known : await this.#bind(wish, wanted)
        sockets.set(wish.key, socket)
        if (isKept) continue
        opened.push(socket)
        if (known === undefined) continue
        replaced.push(known)
        this.#unlinked.add(known)
      }
    } catch (error) {
      undo()
      throw error
    }
    return { sockets, undo }
  }

  /** The last step before the commit: new sockets listen, kept ones take the listener's options. */
  listen(socket: OpenSocket, wish: SocketWish): void {
    if (socket.address.family !== 'unix') setKeepAlive(kernel, socket.fd, wish.keepAliveMs)
    const result = listenOn(socket.fd, wish.backlog)
    if (result < 0) throw bindFailed(wish.listener, wish.address, -result)
    if (socket.isRetiring && socket.address.family !== 'unix') admitNewClients(socket.fd)
    socket.isListening = true
    socket.isRetiring = false
  }

  /** Takes no new clients on a socket that no configuration wants any more. */
  retire(socket: OpenSocket): void {
    if (socket.isRetiring) return
    socket.isRetiring = true
    if (socket.address.family !== 'unix') {
      refuseNewClients(socket.fd)
      return
    }
    unlinkOwn(socket, socket.address.path)
    // Where the file was lost another socket has the key by now.
    if (this.#byKey.get(socket.key) === socket) this.#byKey.delete(socket.key)
    this.#unlinked.add(socket)
  }

  /** Closes a socket that every worker has let go. */
  close(socket: OpenSocket): void {
    if (this.#byKey.get(socket.key) === socket) this.#byKey.delete(socket.key)
    this.#unlinked.delete(socket)
    if (socket.address.family === 'unix' && !socket.isRetiring) unlinkOwn(socket, socket.address.path)
    kernel.close(socket.fd)
  }

  /** Ends what a handover from one address to an overlapping one has allowed: no other program may share the ports. */
  endSharing(): void {
    for (const socket of this.list()) if (socket.address.family !== 'unix') forbidSharedBind(socket.fd)
  }

  async #bind(wish: SocketWish, wanted: ReadonlySet<string>): Promise<OpenSocket> {
    let fd = this.#tryBind(wish, wanted)
    if (fd === -Errno.EADDRINUSE && wish.address.family === 'unix') {
      const { path } = wish.address
      const obstacle = await findObstacle(path)
      if (obstacle === 'stale' || obstacle === 'gone') {
        if (obstacle === 'stale') unlinkQuietly(path)
        fd = this.#tryBind(wish, wanted)
      }
      if (fd === -Errno.EADDRINUSE) throw bindFailed(wish.listener, wish.address, -fd, obstacleRemedies[obstacle])
    }
    if (fd < 0) throw bindFailed(wish.listener, wish.address, -fd)
    const { key } = wish
    const address = boundAddress(wish, fd)
    const file = address.family === 'unix' ? identityOf(address.path) : undefined
    const socket: OpenSocket = { id: ++this.#lastId, fd, key, address, isListening: false, isRetiring: false, file }
    this.#byKey.set(key, socket)
    return socket
  }

  /** An address that overlaps one which is about to go can only be bound when both sockets share the port. */
  #tryBind(wish: SocketWish, wanted: ReadonlySet<string>): number {
    const overlapping = this.list().filter(
      (socket) => overlaps(socket.address, wish.address) && !wanted.has(socket.key),
    )
    for (const socket of overlapping) allowSharedBind(socket.fd)
    return bindSocket(wish.address, { keepAliveMs: wish.keepAliveMs, reusePort: overlapping.length > 0 })
  }
}

/** The address of a wish as it was bound. */
function boundAddress(wish: SocketWish, fd: number): SocketAddress {
  const { address } = wish
  if (address.family === 'unix' || address.port !== 0) return address
  const port = boundPort(fd)
  if (port >= 0) return { ...address, port }
  kernel.close(fd)
  throw bindFailed(wish.listener, wish.address, -port)
}

function overlaps(a: SocketAddress, b: SocketAddress): boolean {
  return a.family !== 'unix' && b.family !== 'unix' && a.family === b.family && a.port === b.port
}

/** What keeps a unix socket from being bound; a stale one is left over from a process that is gone. */
type Obstacle = 'gone' | 'stale' | 'answering' | 'unknown' | 'no-socket'

const obstacleRemedies: Readonly<Record<Obstacle, string>> = {
  gone: 'another process binds it at this moment; try again, or choose another path',
  stale: 'nobody answers on the socket that lies there, and it cannot be removed; let mcs-lb write to the directory',
  answering: 'another process answers on it; stop that (`ss -lxp` names it), or choose another path',
  unknown: 'a socket lies there, and whether a process has it cannot be seen; remove it, or choose another path',
  'no-socket': 'it exists and is no socket; remove it, or choose another path',
}

function findObstacle(path: string): Promise<Obstacle> {
  try {
    if (!lstatSync(path).isSocket()) return Promise.resolve('no-socket')
  } catch (error) {
    return Promise.resolve((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'gone' : 'unknown')
  }
  return new Promise((resolve) => {
    const probe = connect(path)
    const settle = (obstacle: Obstacle) => {
      probe.destroy()
      resolve(obstacle)
    }
    // A full backlog is an answer too: a process has the socket.
    probe.setTimeout(STALE_PROBE_MS, () => settle('answering'))
    probe.once('connect', () => settle('answering'))
    probe.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ECONNREFUSED') settle('stale')
      else settle(code === 'EAGAIN' ? 'answering' : 'unknown')
    })
  })
}

function identityOf(path: string): string | undefined {
  try {
    const stat = lstatSync(path, { bigint: true })
    return `${stat.dev}:${stat.ino}:${stat.birthtimeNs}`
  } catch {
    return undefined
  }
}

/** What another program has put there is not ours to replace, so only a path where nothing is counts. */
function hasLostFile({ address }: OpenSocket): boolean {
  if (address.family !== 'unix') return false
  try {
    return lstatSync(address.path, { throwIfNoEntry: false }) === undefined
  } catch {
    return false
  }
}

/** Removes a socket file unless it is another one than was bound. */
function unlinkOwn(socket: OpenSocket, path: string): void {
  if (socket.file === identityOf(path)) unlinkQuietly(path)
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It is gone already, or not ours to remove; binding or leaving it says the rest.
  }
}
