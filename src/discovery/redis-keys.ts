import type { Redis } from 'ioredis'
import { quote } from '../config/quote.ts'
import { formatAddress } from '../model/address.ts'
import type { DiscoveryConfig } from '../model/config.ts'
import { Collector, Room } from './collector.ts'
import { parseDestination, parseMember } from './member.ts'
import { connectRedis, readTarget } from './redis-client.ts'
import { askKeys, type Key, type Reply, resultOf } from './redis-key-questions.ts'
import { withKeyRemedy } from './redis-reason.ts'
import { readScan } from './redis-shape.ts'
import type { Confirmation, Source, SourceContext, SourceRead } from './source.ts'

type RedisKeysConfig = Extract<DiscoveryConfig, { type: 'redis-keys' }>

/** How many keys one SCAN looks at. */
const pageSize = 500
/** Longest time a deadline is ahead; it is read anew long before. */
const maxLifeMs = 24 * 3_600_000
/** How long the first read waits for the connection. */
const patienceMs = 1_000

/** PTTL of a key that does not exist. */
const goneLife = -2
/** Keys that may spell one address: IPv6 can be written in very many ways. */
const maxSpellings = 8

/**
 * Members that keep a key alive, `<prefix>IP:PORT`, as registries with heartbeats do. The value may be JSON with options
 * (docs/discovery.md). Keys are found with SCAN, which stops no server, and in a cluster on every master.
 */
export function redisKeysSource(config: RedisKeysConfig, context: SourceContext): Source {
  const client = connectRedis(config.redis)
  /** By address: those of the last read, and of members that it lacked. */
  let keys = new Map<string, readonly Key[]>()
  listen(config, client.duplicate(), context)

  async function read(): Promise<SourceRead> {
    await client.whenReady(patienceMs)
    const collector = new Collector(context.filter)
    const room = new Room<readonly Key[]>(config.maxMembers, context.isMember)
    const nodes = client.masters()
    if (nodes.length === 0) throw new Error('the cluster has no master')
    let seen = 0
    for (const node of nodes) seen += await scan(node, config.prefix, collector, room)
    const shown = new Map(room.entries())
    collector.refuseTooMany(room.dropped)
    const lacked = [...keys].filter(([address]) => !shown.has(address) && context.isMember(address))
    // A key that moves from a master that is yet to be scanned to one that has been is on neither, and lives.
    const moved = config.redis.cluster === null ? [] : lacked.flatMap(([, some]) => some.map(nowhere))
    const asked = [...[...shown.values()].flatMap(inOrder), ...moved]
    for await (const [{ text }, replies] of askKeys(client, asked, true)) take(text, replies, collector, context.now)
    keys = new Map([...lacked, ...shown])
    return collector.result(
      `${seen === 0 ? 'no key begins' : 'no key is left that begins'} with ${quote(config.prefix)}`,
    )
  }

  async function confirm(addresses: readonly string[]): Promise<Confirmation> {
    const asked = addresses.flatMap((address) => keys.get(address) ?? [])
    const alive = new Map<string, number | undefined>()
    // PTTL tells what EXISTS does, and the new deadline with it.
    for await (const [{ address }, [life]] of askKeys(client, asked, false)) {
      const lifeMs = numberOf(life)
      if (lifeMs === goneLife) continue
      const deadlineMs = deadlineOf(lifeMs, context.now())
      const isFirst = !alive.has(address)
      if (isFirst || isLater(deadlineMs, alive.get(address))) alive.set(address, deadlineMs)
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
async function scan(node: Redis, prefix: string, collector: Collector, room: Room<readonly Key[]>): Promise<number> {
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
      const address = formatAddress(server.address)
      // SCAN may show a key twice, and so may two masters between which it moves.
      const others = (room.get(address) ?? []).filter((other) => other.name !== name)
      if (others.length < maxSpellings) room.put(address, [...others, { name, text, address, node }])
      else collector.refuse('duplicate', text)
    }
  } while (cursor !== '0')
  return seen
}

function take(text: string, [life, value]: readonly Reply[], collector: Collector, now: () => number): void {
  const lifeMs = numberOf(life)
  if (lifeMs === goneLife) return
  if (value?.[0]?.message.startsWith('WRONGTYPE')) {
    collector.refuse('wrong-type', text)
    return
  }
  const server = collector.accept(parseMember(text, String(resultOf(value))), text)
  if (server !== undefined) collector.add(server, deadlineOf(lifeMs, now()))
}

function nowhere(key: Key): Key {
  return { ...key, node: undefined }
}

/** By name: of two that live for ever, the same one counts whatever the order of SCAN. */
function inOrder(keys: readonly Key[]): readonly Key[] {
  return keys.length === 1 ? keys : [...keys].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function numberOf(reply: Reply | undefined): number {
  const result = resultOf(reply)
  // What is no number would be a key that lives for ever.
  if (typeof result !== 'number') throw new Error('it answered PTTL as no Redis does')
  return result
}

/** @param lifeMs As PTTL has it: negative for a key that lives for ever. */
function deadlineOf(lifeMs: number, nowMs: number): number | undefined {
  return lifeMs >= 0 ? nowMs + Math.min(lifeMs, maxLifeMs) : undefined
}

/** Undefined is for ever. */
function isLater(deadlineMs: number | undefined, otherMs: number | undefined): boolean {
  return (deadlineMs ?? Number.POSITIVE_INFINITY) > (otherMs ?? Number.POSITIVE_INFINITY)
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
