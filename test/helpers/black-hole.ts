import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { freeze, spawnChild } from './child-process.ts'
import { atEnd } from './cleanup.ts'
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
  const child = spawnChild(process.execPath, ['-e', listener], { stdio: ['ignore', 'pipe', 'inherit'] })
  atEnd(t, () => child.kill('SIGKILL'))
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  await freeze(child)
  const address = `127.0.0.1:${port.toString().trim()}`
  // A backlog of n holds n + 1 connections.
  for (let n = 0; n <= BACKLOG; n++) await StreamPeer.connect(t, address)
  return address
}
