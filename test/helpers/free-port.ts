import { createServer } from 'node:net'
import { freeListenerPort } from './free-listener-port.ts'

/** A port of `host` that is free at the moment, and that no outgoing connection of another test is given meanwhile. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = await freeListenerPort()
    if (await canListen(port, host)) return port
  }
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.on('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}
