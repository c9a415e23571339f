import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { ProbeResult } from '#src/health/probe.js'
import type { SocketAddress } from '#src/model/address.js'
import type { HealthConfig } from '#src/model/config.js'
import { atEnd } from '../../helpers/cleanup.ts'

/** Checks as the file's defaults give them, changed by `changes`. */
export function makeHealth(changes: Partial<HealthConfig> = {}): HealthConfig {
  return {
    type: 'tcp',
    intervalMs: 5000,
    fastIntervalMs: 5000,
    downIntervalMs: 5000,
    jitter: 0,
    timeoutMs: 5000,
    rise: 2,
    fall: 3,
    host: null,
    port: null,
    proxyProtocol: 'none',
    tls: null,
    steps: [],
    http: { method: 'GET', path: '/', host: '', status: [{ from: 200, to: 399 }], body: '' },
    redis: { role: 'any', username: '', password: '' },
    postgres: { role: 'any', user: 'postgres', database: 'postgres', password: '' },
    ...changes,
  }
}

export function loopback(port: number): SocketAddress {
  return { family: 'ipv4', host: '127.0.0.1', port }
}

/** A backend that does with each connection as it is told. Connections that are open at the end are destroyed. */
export async function startBackend(
  t: TestContext,
  serve: (socket: Socket) => void,
  listen: { readonly path: string } | { readonly port: number; readonly host: string } = { port: 0, host: '127.0.0.1' },
): Promise<SocketAddress> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    serve(socket)
  })
  server.listen(listen)
  await once(server, 'listening')
  atEnd(t, () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address() as AddressInfo | string
  if (typeof address === 'string') return { family: 'unix', path: address }
  return { family: address.family === 'IPv6' ? 'ipv6' : 'ipv4', host: address.address, port: address.port }
}

/** Step and reason of a failure, in one line; `ok` for none. */
export function told(result: ProbeResult): string {
  return result.ok ? 'ok' : `${result.step}: ${result.reason}`
}
