import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { StreamPeer } from './stream-peer.ts'

const BACKLOG = 1
const listener = `
const server = require('node:net').createServer()
server.listen({ port: 0, host: '127.0.0.1', backlog: ${BACKLOG} }, () => console.log(server.address().port))
`

/**
 * An address at which connections are neither accepted nor refused: a process listens there that is stopped, and its
 * backlog is full, so that Linux drops what else arrives.
 */
export async function blackHole(t: TestContext): Promise<string> {
  const child = spawn(process.execPath, ['-e', listener], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  child.kill('SIGSTOP')
  const address = `127.0.0.1:${port.toString().trim()}`
  // A backlog of n holds n + 1 connections.
  for (let n = 0; n <= BACKLOG; n++) await StreamPeer.connect(t, address)
  return address
}
