import { existsSync, readFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { freeze, spawnChild } from './child-process.ts'
import { atEnd } from './cleanup.ts'
import { waitUntil } from './wait-until.js'

export interface DatagramReceiver {
  received(): string
  /** Stops receiving, so that the socket fills up. */
  freeze(): Promise<void>
}

/** A unix datagram socket at `path`, or in the abstract namespace at `@name`, with all that it received (socat). */
export async function receiveDatagrams(t: TestContext, path: string): Promise<DatagramReceiver> {
  const abstract = path.startsWith('@')
  const address = abstract ? `ABSTRACT-RECV:${path.slice(1)}` : `UNIX-RECV:${path}`
  const child = spawnChild('socat', ['-u', address, '-'], { stdio: ['ignore', 'pipe', 'inherit'] })
  atEnd(t, () => child.kill('SIGKILL'))
  let received = ''
  child.stdout.on('data', (chunk: Buffer) => {
    received += chunk.toString()
  })
  await waitUntil(`socat is bound to ${path}`, () =>
    abstract ? readFileSync('/proc/net/unix', 'utf8').includes(path) : existsSync(path),
  )
  return { received: () => received, freeze: () => freeze(child) }
}
