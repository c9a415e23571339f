import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Service } from '../control/service.ts'
import { type Answer, answerFailure, findRoute } from './routes.ts'
import { publishSocket } from './socket-file.ts'

/** What a client of the admin socket may take from the process. The server closes whatever goes beyond. */
export const adminLimits = {
  connections: 32,
  bodyBytes: 1024,
  headerBytes: 8 * 1024,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  /** Longest silence of a connection; above the time that a client waits for a reload. */
  idleTimeoutMs: 150_000,
  /** What a running answer gets when the server is closed. */
  closeGraceMs: 1_000,
} as const

/** The part of the program's log that the admin API writes to. */
export interface AdminLog {
  error(message: string, fields?: Record<string, unknown>): void
}

export interface AdminServer {
  close(): Promise<void>
  /** Whether its socket file is still there: without it no client finds it. */
  hasFile(): Promise<boolean>
}

export interface AdminOptions {
  /** Absolute path of the unix socket, at most 107 bytes; its directory exists. */
  readonly socket: string
  readonly service: Service
  readonly log: AdminLog
}

/**
 * Serves the admin API (docs/admin.md) on a unix socket of mode 0600 and resolves once it answers.
 *
 * @throws {McsError} MCS_ADMIN_FAILED where the socket cannot be opened; nothing is left behind.
 */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  const server = createBoundedServer((request, response) => {
    respond(request, response, options).catch((error: unknown) => {
      options.log.error('The admin API could not answer', { error: String(error) })
      response.destroy()
    })
  })
  const file = await publishSocket(server, options.socket)
  server.on('error', (error) => options.log.error('The admin socket failed', { error: error.message }))
  return {
    hasFile: () => file.exists(),
    async close() {
      await file.release()
      await closeServer(server)
    },
  }
}

function createBoundedServer(onRequest: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const server = createServer(
    {
      maxHeaderSize: adminLimits.headerBytes,
      headersTimeout: adminLimits.headersTimeoutMs,
      requestTimeout: adminLimits.requestTimeoutMs,
      connectionsCheckingInterval: 1_000,
    },
    onRequest,
  )
  server.maxConnections = adminLimits.connections
  // One request a connection: a pipelined thousand would otherwise be a thousand reloads.
  server.maxRequestsPerSocket = 1
  server.setTimeout(adminLimits.idleTimeoutMs, (socket) => socket.destroy())
  return server
}

async function respond(request: IncomingMessage, response: ServerResponse, options: AdminOptions): Promise<void> {
  // A client that goes away is its own affair: the reload it asked for goes on.
  request.on('error', () => {})
  response.on('error', () => {})
  if (!(await readBody(request))) {
    send(response, { status: 413, body: failure(`A body has at most ${adminLimits.bodyBytes} bytes`) })
    return
  }
  send(response, await answer(request, options))
}

async function answer(request: IncomingMessage, { service, log }: AdminOptions): Promise<Answer> {
  const found = findRoute(request.method ?? '', request.url ?? '')
  if ('status' in found) return found
  try {
    return await found.handle(service)
  } catch (error) {
    log.error('An admin request failed', { path: found.path, error: String(error) })
    return answerFailure(error)
  }
}

/** Discards the body; false where it is larger than allowed, or never arrives whole. */
function readBody(request: IncomingMessage): Promise<boolean> {
  if (Number(request.headers['content-length'] ?? 0) > adminLimits.bodyBytes) return Promise.resolve(false)
  let receivedBytes = 0
  return new Promise((resolve) => {
    request.on('data', (chunk: Buffer) => {
      receivedBytes += chunk.length
      if (receivedBytes <= adminLimits.bodyBytes) return
      request.pause()
      resolve(false)
    })
    request.on('end', () => resolve(true))
    request.on('close', () => resolve(false))
  })
}

function send(response: ServerResponse, { status, body, allow }: Answer): void {
  if (response.destroyed || response.writableEnded) return
  const text = `${JSON.stringify(body)}\n`
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    connection: 'close',
    ...(allow === undefined ? {} : { allow }),
  })
  response.end(text)
}

function failure(message: string): { readonly error: { readonly message: string } } {
  return { error: { message } }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const grace = setTimeout(() => server.closeAllConnections(), adminLimits.closeGraceMs)
    server.close(() => {
      clearTimeout(grace)
      resolve()
    })
    server.closeIdleConnections()
  })
}
