import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { McsError } from '../model/errors.ts'

/**
 * The port itself where it can be bound on 127.0.0.1; for 0 one that the kernel gives.
 *
 * @throws {McsError} MCS_BIND_FAILED where it cannot, naming `--port`.
 */
export async function findFreePort(port: number): Promise<number> {
  const server = createServer()
  try {
    server.listen({ host: '127.0.0.1', port })
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  } catch (error) {
    const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
    const reason = isTaken ? 'another program uses it' : String(error)
    const message = `Cannot listen on 127.0.0.1:${port}: ${reason}; give another port with --port, or --port 0 for any`
    throw new McsError('MCS_BIND_FAILED', message, { source: 'system', retryable: true, cause: error })
  } finally {
    server.close()
  }
}
