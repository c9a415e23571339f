import type { Redis } from 'ioredis'
import { quote } from '../config/quote.ts'
import { formatAddress } from '../model/address.ts'
import type { DiscoveryConfig } from '../model/config.ts'
import { Collector, Room } from './collector.ts'
import { maxValueBytes, parseDestination, parseMember } from './member.ts'
import { connectRedis, readTarget } from './redis-client.ts'
import { withKeyRemedy } from './redis-reason.ts'
import { readScan } from './redis-shape.ts'
import type { Confirmation, Source, SourceContext, SourceRead } from './source.ts'

type RedisKeysConfig = Extract<DiscoveryConfig, { type: 'redis-keys' }>

/** How many keys one SCAN looks at, and how many one pipeline asks for. */
const pageSize = 500
/** Longest time a deadline is ahead; it is read anew long before. */
const maxLifeMs = 24 * 3_600_000
/** How long the first read waits for the connection. */
const patienceMs = 1_000

/** PTTL of a key that does not exist. */
const goneLife = -2

interface Key {
  readonly name: string
  /** What follows the prefix. */
  readonly text: string
  readonly node: Redis
}

/**
 * Members that keep a key alive, `<prefix>IP:PORT`, as registries with heartbeats do. The value may be JSON with options
 * (docs/discovery.md). Keys are found with SCAN, which stops no server, and in a cluster on every master.
 */
export function redisKeysSource(config: RedisKeysConfig, context: SourceContext): Source {
  const client = connectRedis(config.redis)
  /** Of the last read, to ask about single members. */
  let keys = new Map<string, Key>()
  listen(config, client.duplicate(), context)

  async function read(): Promise<SourceRead> {
    await client.whenReady(patienceMs)
    const collector = new Collector(context.filter)
    const room = new Room<Key>(config.maxMembers, context.isMember)
    const nodes = client.masters()
    if (nodes.length === 0) throw new Error('the cluster has no master')
    let seen = 0
    for (const node of nodes) seen += await scan(node, config.prefix, collector, room)
    const entries = room.entries()
    collector.refuseTooMany(room.dropped)
    for (const page of pagesOf(entries)) await readPage(page, collector, context.now)
    keys = new Map(entries)
    return collector.result(
      `${seen === 0 ? 'no key begins' : 'no key is left that begins'} with ${quote(config.prefix)}`,
    )
  }

  async function confirm(addresses: readonly string[]): Promise<Confirmation> {
    // One that the last read did not show any more is gone already.
    const asked = addresses.flatMap((address): [string, Key][] => {
      const key = keys.get(address)
      return key === undefined ? [] : [[address, key]]
    })
    const alive = new Map<string, number | undefined>()
    for (const page of pagesOf(asked)) {
      // PTTL tells what EXISTS does, and the new deadline with it.
      await ask(
        page,
        (pipeline, { name }) => pipeline.pttl(name),
        ([address], [life]) => {
          const lifeMs = numberOf(life)
          if (lifeMs !== goneLife) alive.set(address, deadlineOf(lifeMs, context.now()))
        },
      )
    }
    return { gone: addresses.filter((address) => !alive.has(address)), alive }
  }

  const needs = {
    rule: `+scan +pttl +getrange ~${escapePattern(config.prefix)}*`,
    otherType: 'write type: redis-sorted-set where it is one',
  }
  const describe = (error: unknown) => withKeyRemedy(client.describe(error), needs)
  return { read, confirm, describe, interrupt: client.reset, close: async () => client.close() }
}

/** Puts the keys of one node that may be members into the room, and returns how many have the prefix. */
async function scan(node: Redis, prefix: string, collector: Collector, room: Room<Key>): Promise<number> {
  const pattern = `${escapePattern(prefix)}*`
  let cursor = '0'
  let seen = 0
  do {
    const [next, names] = readScan(await node.scan(cursor, 'MATCH', pattern, 'COUNT', pageSize))
    cursor = next
    seen += names.length
    for (const name of names) {
      const text = name.slice(prefix.length)
      const server = collector.accept(text.startsWith('{') ? { reason: 'bad-address' } : parseMember(text), text)
      if (server === undefined) continue
      const before = room.put(formatAddress(server.address), { name, text, node })
      if (before !== undefined && before.name !== name) collector.refuse('duplicate', text)
    }
  } while (cursor !== '0')
  return seen
}

async function readPage(page: readonly Placed[], collector: Collector, now: () => number): Promise<void> {
  const commands = (pipeline: Pipeline, { name }: Key) =>
    // No more of a value is asked for than is looked at.
    pipeline.pttl(name).getrange(name, 0, maxValueBytes)
  await ask(page, commands, ([, { text }], [life, value]) => {
    const lifeMs = numberOf(life)
    if (lifeMs === goneLife) return
    if (value?.[0]?.message.startsWith('WRONGTYPE')) {
      collector.refuse('wrong-type', text)
      return
    }
    const server = collector.accept(parseMember(text, String(resultOf(value))), text)
    if (server !== undefined) collector.add(server, deadlineOf(lifeMs, now()))
  })
}

type Placed = readonly [address: string, Key]
type Pipeline = ReturnType<Redis['pipeline']>
type Reply = [error: Error | null, result: unknown] | undefined

/** Asks the same of every key, in one round trip to each node, and hands each key's replies on. */
async function ask(
  page: readonly Placed[],
  commands: (pipeline: Pipeline, key: Key) => Pipeline,
  take: (placed: Placed, replies: readonly Reply[]) => void,
): Promise<void> {
  for (const node of new Set(page.map(([, key]) => key.node))) {
    const placed = page.filter(([, key]) => key.node === node)
    const pipeline = node.pipeline()
    for (const [, key] of placed) commands(pipeline, key)
    const replies = (await pipeline.exec()) ?? []
    const each = replies.length / placed.length
    for (const [index, one] of placed.entries()) take(one, replies.slice(index * each, (index + 1) * each))
  }
}

/** A reply that is an error makes the whole read one: half a registry is no registry. */
function resultOf(reply: Reply): unknown {
  if (reply === undefined) throw new Error('Redis answered fewer commands than it was sent')
  if (reply[0] !== null) throw reply[0]
  return reply[1]
}

function numberOf(reply: Reply): number {
  const result = resultOf(reply)
  // What is no number would be a key that lives for ever.
  if (typeof result !== 'number') throw new Error('it answered PTTL as no Redis does')
  return result
}

/** @param lifeMs As PTTL has it: negative for a key that lives for ever. */
function deadlineOf(lifeMs: number, nowMs: number): number | undefined {
  return lifeMs >= 0 ? nowMs + Math.min(lifeMs, maxLifeMs) : undefined
}

function* pagesOf(entries: readonly Placed[]): Generator<readonly Placed[]> {
  for (let from = 0; from < entries.length; from += pageSize) yield entries.slice(from, from + pageSize)
}

/** The prefix as a glob pattern that matches nothing else. */
export function escapePattern(prefix: string): string {
  return prefix.replace(/[\\*?[\]]/g, '\\$&')
}

/** Events after which a key is gone, and after which it may be new (redis.io, keyspace notifications). */
const endings = new Set(['del', 'expired', 'evicted', 'rename_from', 'move_from'])
const beginnings = new Set(['set', 'rename_to', 'move_to', 'restore', 'copy_to'])

/** Has the server tell of keys that come and go, where it does so: heartbeats of members that are known tell nothing. */
function listen({ redis, prefix }: RedisKeysConfig, subscriber: Redis | undefined, context: SourceContext): void {
  if (subscriber === undefined) return
  const space = `__keyspace@${readTarget(redis).database}__:`
  // A server or an ACL that refuses leaves the polls, which are enough.
  subscriber.on('ready', () => void subscriber.psubscribe(`${escapePattern(space + prefix)}*`).catch(() => {}))
  subscriber.on('pmessage', (_pattern: unknown, channel: unknown, event: unknown) => {
    // What the listener throws nobody catches.
    if (typeof channel !== 'string' || typeof event !== 'string') return
    const parsed = parseDestination(channel.slice(space.length + prefix.length))
    if (!('address' in parsed)) return
    const isMember = context.isMember(formatAddress(parsed.address))
    if (isMember ? endings.has(event) : beginnings.has(event)) context.hint()
  })
}
