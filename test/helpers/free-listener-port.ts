import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

/**
 * A port that is free at the moment and that no outgoing connection is given, so that a listener may leave it and come
 * back. Binds to all addresses are free too.
 */
export async function freeListenerPort(): Promise<number> {
  const firstEphemeral = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0])
  const [least, end] = [10_000, Math.max(12_000, firstEphemeral)]
  for (let tries = 0; tries < 1000; tries++) {
    const port = least + Math.floor(Math.random() * (end - least))
    if (await canListen(port)) return port
  }
  throw new Error(`No free port between ${least} and ${end}`)
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.on('error', () => resolve(false))
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)))
  })
}
