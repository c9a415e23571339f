import type { Redis } from 'ioredis'
import { resolveBy } from '../discovery/deadline.ts'
import { readScan } from '../discovery/redis-shape.ts'
import type { HashStore } from './sticky-hash.ts'

const SCAN_COUNT = 500
/** Replies of one walk over the hash; a server that never comes to the end is no Redis. */
const MAX_SCANS = 100_000

/** What is needed of a client: those of a server, of a sentinel's master and of a cluster all have it. */
type HashCommands = Pick<Redis, 'hscan' | 'hset' | 'hdel' | 'hlen'>

export interface RedisHashOptions {
  /** Longest time for one command; 5 s unless given. */
  readonly timeoutMs?: number
  /** Why a command failed, in one line without passwords; what the error says unless given. */
  readonly describe?: (error: unknown) => string
}

/** The hash at `key` in a Redis. The client stays its owner's. */
export function createRedisHash(redis: HashCommands, key: string, options: RedisHashOptions = {}): HashStore {
  const { timeoutMs = 5000, describe } = options
  const ask = async <Result>(reply: Promise<Result>): Promise<Result> => {
    try {
      return await within(timeoutMs, reply)
    } catch (error) {
      throw describe === undefined ? error : new Error(describe(error))
    }
  }
  return {
    async *readAll() {
      let cursor = '0'
      for (let n = 0; n < MAX_SCANS; n++) {
        const [next, elements] = readScan(await ask(redis.hscan(key, cursor, 'COUNT', SCAN_COUNT)))
        yield pairs(elements)
        cursor = next
        if (cursor === '0') return
      }
    },
    async write(changes) {
      await ask(redis.hset(key, new Map(changes)))
    },
    async remove(fields) {
      await ask(redis.hdel(key, ...fields))
    },
    size: () => ask(redis.hlen(key)),
  }
}

function pairs(elements: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>()
  for (let i = 0; i + 1 < elements.length; i += 2) fields.set(elements[i]!, elements[i + 1]!)
  return fields
}

/** A client that is not connected may queue commands for ever. */
function within<Result>(timeoutMs: number, reply: Promise<Result>): Promise<Result> {
  return resolveBy(reply, timeoutMs, () => {
    throw new Error(`no answer within ${timeoutMs} ms`)
  })
}
