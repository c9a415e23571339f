import { Redis, type RedisOptions } from 'ioredis'
import type { HostPort } from '../model/config.ts'
import { readMaster } from './redis-shape.ts'

/** How to reach a Sentinel, beside its host and port. */
export type SentinelOptions = Omit<RedisOptions, 'replyMapping'>

/**
 * Where the master `name` is, as the first Sentinel says that answers and knows. The one that did is asked first the
 * next time.
 *
 * @throws {Error} with what the last one said where none knows.
 */
export function sentinelLocator(
  nodes: readonly HostPort[],
  name: string,
  options: SentinelOptions,
): (signal: AbortSignal) => Promise<HostPort> {
  const order = [...nodes]
  return async (signal) => {
    let reason = ''
    let cause: unknown
    for (const node of [...order]) {
      try {
        const master = await ask(node, name, options, signal)
        order.unshift(...order.splice(order.indexOf(node), 1))
        return master
      } catch (error) {
        signal.throwIfAborted()
        cause = error
        reason = error instanceof Error ? error.message : String(error)
      }
    }
    throw new Error(`no Sentinel knows the master "${name}": ${reason}`, { cause })
  }
}

async function ask(
  { host, port }: HostPort,
  name: string,
  options: SentinelOptions,
  signal: AbortSignal,
): Promise<HostPort> {
  const client = new Redis({ ...options, host, port, retryStrategy: () => null, enableReadyCheck: false })
  let lost: Error | undefined
  client.on('error', (error: Error) => {
    lost = error
  })
  const giveUp = () => client.disconnect()
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    const master = readMaster(await client.call('SENTINEL', 'get-master-addr-by-name', name))
    if (master === undefined) throw new Error(`${host}:${port} names none`)
    return master
  } catch (error) {
    // That a command was not answered tells less than why the connection ended.
    throw lost ?? error
  } finally {
    signal.removeEventListener('abort', giveUp)
    client.disconnect()
  }
}
