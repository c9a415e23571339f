import { chmod, link, lstat, mkdir, mkdtemp, rm, rmdir, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { McsError } from '../model/errors.ts'

/**
 * Most bytes of a unix socket's path: `sun_path` less its NUL, unix(7). Node 20 cuts a longer path off without a word,
 * so it is refused here.
 */
export const socketPathLimitBytes = 107

/** How often, and at most how many times, the lock of another starting process is looked at: 2 s. */
const lockPollMs = 20
const publishRounds = 100

/** A published socket. */
export interface SocketFile {
  /** Removes the file if it is still the one that was published. Call it before the server is closed. */
  release(): Promise<void>
  /** Whether there is a file at its path, this one or another; true where that cannot be seen. */
  exists(): Promise<boolean>
}

interface Identity {
  readonly dev: number
  readonly ino: number
}

/**
 * Has `server` listen on the unix socket `path`, mode 0600.
 *
 * ```
 * mkdtemp .Ab3xYz (0700) → bind .Ab3xYz/s → chmod 0600 → link(.Ab3xYz/s, path) → rm .Ab3xYz
 *                                                          └ EEXIST: under a lock, remove it if stale; link again
 * ```
 *
 * Nobody can reach the socket before its mode is right, and link(2) neither follows a symlink nor replaces a file, so
 * of two processes that start at once one is refused.
 *
 * @throws {McsError} MCS_ADMIN_FAILED where the directory is missing or not writable, the path is too long, another
 *   process answers on it, or something that is not a socket is in the way.
 */
export async function publishSocket(server: Server, path: string): Promise<SocketFile> {
  checkLength(path)
  const privateDirectory = await makePrivateDirectory(path)
  try {
    const bound = join(privateDirectory, 's')
    checkLength(bound)
    await listen(server, bound)
    await chmod(bound, 0o600)
    await publish(bound, path)
    const identity = await lstat(path)
    return { release: () => release(path, identity), exists: () => exists(path) }
  } catch (error) {
    server.close()
    throw error instanceof McsError ? error : failed(path, describe(error), 'check the path and its filesystem', error)
  } finally {
    await rm(privateDirectory, { recursive: true, force: true })
  }
}

function checkLength(path: string): void {
  const length = Buffer.byteLength(path)
  if (length <= socketPathLimitBytes) return
  throw failed(path, `its path has ${length} bytes and a unix socket's at most ${socketPathLimitBytes}`, 'shorten it')
}

async function makePrivateDirectory(path: string): Promise<string> {
  const directory = dirname(path)
  try {
    // Not join(): it would drop the dot.
    return await mkdtemp(`${directory}/.`)
  } catch (error) {
    const remedy = `create "${directory}", writable by this user, or set admin.socket to another path or to none`
    throw failed(path, describe(error), remedy, error)
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function publish(bound: string, path: string): Promise<void> {
  const lock = join(dirname(path), `.${basename(path)}.lock`)
  for (let round = 0; round < publishRounds; round++) {
    try {
      return await link(bound, path)
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
    }
    if (!(await removeStale(path, lock))) await sleep(lockPollMs)
  }
  throw failed(path, `"${lock}" exists`, 'remove that directory unless another mcs-lb is starting')
}

/**
 * Removes a socket that nobody answers on. Only who holds the lock removes one, and nobody replaces one, so what did
 * not answer is what is removed. False where another process holds the lock.
 */
async function removeStale(path: string, lock: string): Promise<boolean> {
  try {
    await mkdir(lock)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
  try {
    const found = await lstatIfAny(path)
    if (found === null) return true
    if (!found.isSocket()) {
      throw failed(path, 'it exists and is no socket', 'remove it, or set admin.socket to another path')
    }
    if (await isAnswering(path)) {
      throw failed(path, 'another process answers on it', 'stop that process, or set admin.socket to another path')
    }
    await rm(path, { force: true })
    return true
  } finally {
    await rmdir(lock)
  }
}

/** Whether a process accepts on the socket; a full backlog counts as an answer. */
function isAnswering(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error) => {
      if (hasCode(error, 'ECONNREFUSED') || hasCode(error, 'ENOENT')) resolve(false)
      else if (hasCode(error, 'EAGAIN')) resolve(true)
      else reject(error)
    })
  })
}

async function release(path: string, published: Identity): Promise<void> {
  const found = await lstatIfAny(path).catch(() => null)
  // The bound socket holds its inode, so the number cannot have been given to another file.
  if (found !== null && isSame(found, published)) await unlink(path).catch(() => {})
}

function exists(path: string): Promise<boolean> {
  return lstatIfAny(path).then(
    (found) => found !== null,
    () => true,
  )
}

async function lstatIfAny(path: string) {
  try {
    return await lstat(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}

function isSame(a: Identity, b: Identity): boolean {
  return a.dev === b.dev && a.ino === b.ino
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function failed(path: string, reason: string, remedy: string, cause?: unknown): McsError {
  return new McsError('MCS_ADMIN_FAILED', `Cannot open the admin socket "${path}": ${reason}; ${remedy}`, {
    source: 'system',
    cause,
  })
}
