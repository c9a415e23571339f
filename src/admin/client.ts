import { statSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { McsError } from '../model/errors.ts'
import { socketPathLimitBytes } from './socket-file.ts'

/** Longest wait for an answer; a reload may bind sockets and load certificates. */
const answerTimeoutMs = 120_000

/** Largest answer; the status of 65,536 backends has about 12 MB. */
const answerLimitBytes = 64 * 1024 * 1024

export interface AdminAnswer {
  /** HTTP status. */
  readonly status: number
  /** The parsed JSON. */
  readonly body: unknown
}

/**
 * Asks a running mcs-lb one thing and waits for its answer, whatever its HTTP status.
 *
 * @param timeoutMs The wait for the whole answer, 120 s unless given.
 * @throws {McsError} MCS_ADMIN_UNREACHABLE where nobody listens, the socket may not be opened, no whole answer came in
 *   time, or what came is not JSON.
 */
export async function adminRequest(
  socket: string,
  method: 'GET' | 'POST',
  path: string,
  timeoutMs: number = answerTimeoutMs,
): Promise<AdminAnswer> {
  try {
    if (socket === '') throw new Error('an empty path names no socket')
    const { status, text } = await exchange(socket, method, path, timeoutMs)
    return { status, body: parse(text) }
  } catch (error) {
    throw unreachable(socket, error)
  }
}

function exchange(
  socket: string,
  method: string,
  path: string,
  timeoutMs: number,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    if (Buffer.byteLength(socket) > socketPathLimitBytes) {
      throw new Error(`a unix socket's path has at most ${socketPathLimitBytes} bytes`)
    }
    const request = httpRequest({ socketPath: socket, method, path, agent: false })
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs)
    request.on('close', () => clearTimeout(timer))
    request.on('error', reject)
    request.on('response', (response) => {
      readText(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject)
    })
    request.end()
  })
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let receivedBytes = 0
  for await (const chunk of response) {
    receivedBytes += (chunk as Buffer).length
    if (receivedBytes > answerLimitBytes) throw new Error(`the answer has more than ${answerLimitBytes} bytes`)
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('what answered is not mcs-lb')
  }
}

const noSocket = 'it is no socket; give the admin.socket of mcs-lb by --socket, or its file by --config'

const remedies: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket; is mcs-lb running, and is this its admin.socket? Give --socket or --config',
  ENOTDIR: 'there is no such socket, as what it should lie in is no directory; give --socket or --config',
  ECONNREFUSED: 'no process answers there; start mcs-lb, or give --socket or --config',
  EACCES: 'permission denied; run this as the user that mcs-lb runs as, or as root',
}

/** Whether something else is there, of which the kernel only says that the connection is refused. */
function isOther(path: string): boolean {
  try {
    return !statSync(path).isSocket()
  } catch {
    return false
  }
}

function unreachable(socket: string, error: unknown): McsError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  // Node takes an empty path for none, and asks port 80.
  const isNone = socket === '' || (code === 'ECONNREFUSED' && isOther(socket))
  const reason =
    (isNone ? noSocket : remedies[code]) ??
    `${error instanceof Error ? error.message : error}; look at the log of mcs-lb`
  return new McsError('MCS_ADMIN_UNREACHABLE', `Cannot ask mcs-lb on "${socket}": ${reason}`, {
    source: 'system',
    retryable: true,
    cause: error,
  })
}
