import { longestSchedule, MAX_SCHEDULE } from '../balance/group.ts'
import { formatAddress } from '../model/address.ts'
import type { ServerConfig } from '../model/config.ts'
import { backendKey } from './snapshot-builder.ts'

/** Rows that discovered backends leave free, so that no registry can keep the file's servers out. */
const ROWS_FOR_THE_FILE = 8_192

/** The backends that an upstream ought to have. */
export interface Wish {
  readonly upstream: string
  /** The file's servers, then those that were found. */
  readonly servers: readonly ServerConfig[]
  /** How many of them are the file's. */
  readonly listed: number
}

/** What the tables hold. */
export interface Room {
  /** Whether a backend has its row already. */
  has(key: string): boolean
  /** Rows that nobody has. */
  readonly free: number
}

export interface Placement {
  /** Those who have a place, in the same order. The same list where all have theirs, as they are. */
  readonly servers: readonly ServerConfig[]
  /** Found ones without a place. */
  readonly leftOut: number
}

/** Whether a discovered backend that has no place could get one. */
export function hasPlace({ free }: Room): boolean {
  return free > ROWS_FOR_THE_FILE
}

/**
 * Gives places to discovered backends where there are not enough: those who have one keep it, and new ones get what is
 * left in turn, one of each upstream. Where their weights make a round too long they are scaled down, which changes how
 * fine the shares are and leaves nobody out. The file's servers are passed on as they are.
 */
export function placeMembers(wishes: readonly Wish[], room: Room): Placement[] {
  const admitted = admit(wishes, room)
  return wishes.map((wish, i) => {
    const kept = wish.servers.filter((_, position) => position < wish.listed || admitted[i]!.has(position))
    const servers = kept.length === wish.servers.length ? wish.servers : kept
    const fitting = shortenRounds(servers, wish.listed)
    return { servers: fitting, leftOut: wish.servers.length - fitting.length }
  })
}

/** For each wish, the positions of found ones that have a place. */
function admit(wishes: readonly Wish[], room: Room): Set<number>[] {
  const admitted = wishes.map(() => new Set<number>())
  let free = room.free - ROWS_FOR_THE_FILE
  const waiting = wishes.map(({ upstream, servers, listed }, i) => {
    const newcomers: number[] = []
    for (let position = listed; position < servers.length; position++) {
      const isKnown = room.has(backendKey(upstream, formatAddress(servers[position]!.address)))
      if (isKnown) admitted[i]!.add(position)
      else newcomers.push(position)
    }
    return newcomers
  })
  const longest = waiting.reduce((most, { length }) => Math.max(most, length), 0)
  for (let turn = 0; turn < longest && free > 0; turn++) {
    for (const [i, newcomers] of waiting.entries()) {
      if (turn < newcomers.length && free-- > 0) admitted[i]!.add(newcomers[turn]!)
    }
  }
  return admitted
}

/** The servers with rounds no longer than {@link MAX_SCHEDULE}: found ones with less weight, or else without them. */
function shortenRounds(servers: readonly ServerConfig[], listed: number): readonly ServerConfig[] {
  if (longestSchedule(servers) <= MAX_SCHEDULE) return servers
  const lighter = scaleDown(servers, listed)
  return longestSchedule(lighter) <= MAX_SCHEDULE ? lighter : servers.slice(0, listed)
}

/** Has the weights of found ones add up, in each priority, to what those of the file leave. */
function scaleDown(servers: readonly ServerConfig[], listed: number): readonly ServerConfig[] {
  const sums = new Map<number, { file: number; found: number; count: number }>()
  servers.forEach(({ priority, weight }, position) => {
    const sum = sums.get(priority) ?? { file: 0, found: 0, count: 0 }
    if (position < listed) sum.file += weight
    else {
      sum.found += weight
      sum.count++
    }
    sums.set(priority, sum)
  })
  const tooLong = [...sums].filter(([, { file, found }]) => found > 0 && file + found > MAX_SCHEDULE)
  const factors = new Map(
    tooLong.map(([priority, { file, found, count }]) => [priority, (MAX_SCHEDULE - file - count) / found]),
  )
  return servers.map((server, position) => {
    const factor = position < listed ? undefined : factors.get(server.priority)
    return factor === undefined ? server : { ...server, weight: Math.max(1, Math.floor(server.weight * factor)) }
  })
}
