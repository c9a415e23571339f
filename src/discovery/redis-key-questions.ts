import type { Redis } from 'ioredis'
import { maxValueBytes } from './member.ts'
import type { RedisClient } from './redis-client.ts'

/** How many keys are asked about at once. */
const pageSize = 500

/** A key that may be a member. */
export interface Key {
  readonly name: string
  /** What follows the prefix. */
  readonly text: string
  /** Of the member that it stands for: several keys may spell one. */
  readonly address: string
  /** Where it was seen; undefined where no node shows it any more. */
  readonly node: Redis | undefined
}

/** What one command was answered with. */
export type Reply = readonly [error: Error | null, result?: unknown]

/**
 * How long each key lives, as PTTL has it, and with `withValues` what it holds: one round trip to each node for many of
 * them. One that has moved to another node of a cluster, or that is on none that is known, is asked for by its name.
 */
export async function* askKeys(
  client: RedisClient,
  keys: readonly Key[],
  withValues: boolean,
): AsyncGenerator<readonly [key: Key, replies: readonly Reply[]]> {
  for (let from = 0; from < keys.length; from += pageSize) {
    const page = keys.slice(from, from + pageSize)
    const alone: Key[] = []
    for (const [node, some] of byNode(page, client.masters())) {
      const answered = node === undefined ? [] : await askNode(node, some, withValues)
      for (const [index, key] of some.entries()) {
        const replies = answered[index]
        if (replies === undefined || replies.some(isRedirection)) alone.push(key)
        else yield [key, replies]
      }
    }
    const replies = await Promise.all(alone.map((key) => askAlone(client, key, withValues)))
    for (const [index, key] of alone.entries()) yield [key, replies[index]!]
  }
}

/** A reply that is an error makes the whole read one: half a registry is no registry. */
export function resultOf(reply: Reply | undefined): unknown {
  if (reply === undefined) throw new Error('Redis answered fewer commands than it was sent')
  if (reply[0] !== null) throw reply[0]
  return reply[1]
}

/** Those whose node is not there any more are together under undefined. */
function byNode(keys: readonly Key[], nodes: readonly Redis[]): Map<Redis | undefined, Key[]> {
  const known = new Set(nodes)
  const groups = new Map<Redis | undefined, Key[]>()
  for (const key of keys) {
    const node = key.node !== undefined && known.has(key.node) ? key.node : undefined
    const group = groups.get(node)
    if (group === undefined) groups.set(node, [key])
    else group.push(key)
  }
  return groups
}

async function askNode(node: Redis, keys: readonly Key[], withValues: boolean): Promise<Reply[][]> {
  const pipeline = node.pipeline()
  for (const { name } of keys) {
    pipeline.pttl(name)
    // No more of a value is asked for than is looked at.
    if (withValues) pipeline.getrange(name, 0, maxValueBytes)
  }
  const replies: readonly Reply[] = (await pipeline.exec()) ?? []
  const each = withValues ? 2 : 1
  if (replies.length !== keys.length * each) resultOf(undefined)
  return keys.map((_, index) => replies.slice(index * each, (index + 1) * each))
}

function askAlone({ commands }: RedisClient, { name }: Key, withValues: boolean): Promise<Reply[]> {
  const life = settled(commands.pttl(name))
  return Promise.all(withValues ? [life, settled(commands.getrange(name, 0, maxValueBytes))] : [life])
}

function settled(answer: Promise<unknown>): Promise<Reply> {
  return answer.then(
    (result): Reply => [null, result],
    (error: unknown): Reply => [error instanceof Error ? error : new Error(String(error))],
  )
}

function isRedirection([error]: Reply): boolean {
  return error !== null && /^(?:MOVED|ASK) /.test(error.message)
}
