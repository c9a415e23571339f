import { quote } from '../config/quote.ts'
import { formatAddress } from '../model/address.ts'
import type { DiscoveryConfig, ServerConfig } from '../model/config.ts'
import { Collector, Room } from './collector.ts'
import { parseMember } from './member.ts'
import { connectRedis, type RedisClient } from './redis-client.ts'
import { escapePattern } from './redis-keys.ts'
import { withKeyRemedy } from './redis-reason.ts'
import { readScan, readTime } from './redis-shape.ts'
import type { Confirmation, Source, SourceContext, SourceRead } from './source.ts'

type SortedSetConfig = Extract<DiscoveryConfig, { type: 'redis-sorted-set' }>

const pageSize = 500
/** Longest time a deadline is ahead; it is read anew long before. */
const maxLifeMs = 24 * 3_600_000
const patienceMs = 1_000
/** Unix time in seconds reaches this in the year 5138, and in milliseconds reached it in 1973. */
const firstMilliseconds = 100_000_000_000

interface Item {
  /** As it stands in the set. */
  readonly text: string
  readonly server: ServerConfig
  readonly deadlineMs: number | undefined
}

/**
 * Members of a sorted set: `IP:PORT`, or a JSON object with an `address`. What scores mean is configured; they are held
 * against the clock of Redis, which heartbeats of all machines share.
 */
export function redisSortedSetSource(config: SortedSetConfig, context: SourceContext): Source {
  const client = connectRedis(config.redis)
  /** By address: those of the last read. */
  let items = new Map<string, Item>()

  async function read(): Promise<SourceRead> {
    await client.whenReady(patienceMs)
    const clock = await readClock(client, context.now)
    const collector = new Collector(context.filter)
    const room = new Room<Item>(config.maxMembers, context.isMember)
    const seen = await scan(clock, collector, room)
    const entries = room.entries()
    collector.refuseTooMany(room.dropped)
    for (const [, { server, deadlineMs }] of entries) collector.add(server, deadlineMs)
    items = new Map(entries)
    return collector.result(
      seen === 0 ? `there is no sorted set ${quote(config.key)}` : 'the time of every member is over',
    )
  }

  /** Puts what is in the set and may be a member into the room, and returns how many members it has. */
  async function scan(clock: Clock, collector: Collector, room: Room<Item>): Promise<number> {
    let cursor = '0'
    let seen = 0
    do {
      // ZSCAN shows whatever stays in the set all the while, which pages of ranks do not when scores change.
      const [next, flat] = readScan(await client.commands.zscan(config.key, cursor, 'COUNT', pageSize))
      cursor = next
      seen += flat.length
      for (let index = 0; index + 1 < flat.length; index += 2) {
        place(flat[index]!, Number(flat[index + 1]), config, clock, collector, room)
      }
    } while (cursor !== '0')
    return seen
  }

  async function confirm(addresses: readonly string[]): Promise<Confirmation> {
    const clock = await readClock(client, context.now)
    const alive = new Map<string, number | undefined>()
    for (const address of addresses) {
      const item = items.get(address)
      const score = item === undefined ? null : await client.commands.zscore(config.key, item.text)
      if (score === null) continue
      const life = lifeOf(Number(score), config, clock)
      if (typeof life === 'object' && !isPast(life, context.now())) alive.set(address, life.deadlineMs)
    }
    const missing = new Set(addresses.filter((address) => !alive.has(address)))
    for (const [address, item] of await findAnew(missing, clock)) alive.set(address, item.deadlineMs)
    return { gone: addresses.filter((address) => !alive.has(address)), alive }
  }

  /** Who is in the set after all, by another text: a backend that comes back with other options has one. */
  async function findAnew(addresses: ReadonlySet<string>, clock: Clock): Promise<[string, Item][]> {
    if (addresses.size === 0) return []
    const room = new Room<Item>(0, (address) => addresses.has(address))
    await scan(clock, new Collector(context.filter), room)
    const found = room.entries()
    for (const [address, item] of found) items.set(address, item)
    // Its options are those of the old text until they are read.
    if (found.length > 0) context.hint()
    return found
  }

  const needs = {
    rule: `+zscan +zscore +time ~${escapePattern(config.key)}`,
    otherType: 'it is no sorted set; name one in key, or write type: redis-keys',
  }
  const describe = (error: unknown) => withKeyRemedy(client.describe(error), needs)
  return { read, confirm, describe, interrupt: client.reset, close: async () => client.close() }
}

/** The same moment on both clocks, in milliseconds. */
interface Clock {
  readonly redisMs: number
  readonly localMs: number
}

async function readClock(client: RedisClient, now: () => number): Promise<Clock> {
  const redisMs = readTime(await client.commands.time())
  // Taken after the answer, so that a deadline is rather late than early.
  return { redisMs, localMs: now() }
}

function place(
  text: string,
  score: number,
  config: SortedSetConfig,
  clock: Clock,
  collector: Collector,
  room: Room<Item>,
): void {
  const life = lifeOf(score, config, clock)
  if (typeof life === 'string') {
    collector.refuse(life, text)
    return
  }
  if (isPast(life, clock.localMs)) return
  const server = collector.accept(parseMember(text), text)
  if (server === undefined) return
  const address = formatAddress(server.address)
  const before = room.get(address)
  if (before !== undefined && before.text !== text) collector.refuse('duplicate', text)
  // An address that came back with other options stands in the set twice; the later heartbeat counts.
  if (before !== undefined && (before.deadlineMs ?? Infinity) >= (life.deadlineMs ?? Infinity)) return
  room.put(address, { text, server, deadlineMs: life.deadlineMs })
}

interface Life {
  /** On the local clock; undefined where scores mean nothing. */
  readonly deadlineMs: number | undefined
}

function isPast({ deadlineMs }: Life, nowMs: number): boolean {
  return deadlineMs !== undefined && deadlineMs <= nowMs
}

/** When a member of this score ends, or why the score is refused. */
function lifeOf(score: number, config: SortedSetConfig, clock: Clock): Life | 'bad-score' | 'future-score' {
  if (config.score === 'ignored') return { deadlineMs: undefined }
  if (!Number.isFinite(score) || score < 0) return 'bad-score'
  const scoreMs = score >= firstMilliseconds ? score : score * 1000
  const aheadMs = scoreMs - clock.redisMs
  if (config.score === 'expiry') return { deadlineMs: clock.localMs + Math.min(aheadMs, maxLifeMs) }
  // A clock that is ahead a little is common; one that is ahead by more would keep a dead member for as long.
  if (aheadMs > config.maxAgeMs) return 'future-score'
  return { deadlineMs: clock.localMs + Math.min(0, aheadMs) + config.maxAgeMs }
}
