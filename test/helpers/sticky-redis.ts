import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Redis } from 'ioredis'
import { requirePeer } from './peers.ts'
import { temporaryDirectory } from './temporary-directory.ts'
import { waitUntil } from './wait-until.ts'

/** A Redis of the test's own on a unix socket. */
export interface OwnRedis {
  /** Connected. */
  readonly client: Redis
  /** Kills the server. */
  kill(): Promise<void>
  /** Starts it again, with nothing in it. */
  restart(): Promise<void>
}

/** Undefined, and the test skipped, where redis-server is not installed. */
export async function startRedis(t: TestContext): Promise<OwnRedis | undefined> {
  const program = requirePeer(t, 'redis-server')
  if (program === undefined) return undefined
  const directory = temporaryDirectory(t)
  const path = join(directory, 'redis.sock')
  const client = new Redis({ path, lazyConnect: true, retryStrategy: () => 20, maxRetriesPerRequest: 0 })
  client.on('error', () => {})
  const start = () => {
    const args = ['--port', '0', '--unixsocket', path, '--save', '', '--appendonly', 'no', '--dir', directory]
    const server = spawn(program, args, { stdio: 'ignore' })
    return { server, ended: new Promise((resolve) => server.once('exit', resolve)) }
  }
  let running = start()
  const kill = async () => {
    running.server.kill('SIGKILL')
    await running.ended
  }
  t.after(async () => {
    client.disconnect()
    await kill()
  })
  const answers = () =>
    waitUntil('redis-server answers', async () => {
      if (client.status === 'wait') await client.connect().catch(() => {})
      return (await client.ping().catch(() => '')) === 'PONG'
    })
  await answers()
  return {
    client,
    kill,
    restart: async () => {
      running = start()
      await answers()
    },
  }
}
