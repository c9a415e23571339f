import type { Group } from './balancer.ts'
import { buildSchedule, scheduleLength } from './round-robin.ts'
import { identityOf } from './source-key.ts'

/** Longest round of weighted round-robin, all weights of a group divided by what they share. */
export const MAX_SCHEDULE = 1_048_576

/** A backend of a membership, as groups are built of it. */
export interface GroupMember {
  /** Row in the backend table. */
  readonly row: number
  /** An integer from 1 to 256. */
  readonly weight: number
  /** Infinity for no limit. */
  readonly maxConnections: number
  /** Lower first. */
  readonly priority: number
  /** Its formatted address. */
  readonly name: string
}

/**
 * The members by priority, the lowest number first; a position is the index in `members`. Whoever builds a membership
 * has seen that {@link longestSchedule} is within {@link MAX_SCHEDULE}; throws RangeError where it is not.
 */
export function buildGroups(members: readonly GroupMember[]): Group[] {
  return positionsByPriority(members).map((positions) => {
    const group = positions.map((position) => members[position]!)
    return {
      positions: Uint32Array.from(positions),
      rows: Uint32Array.from(group, ({ row }) => row),
      weights: Float64Array.from(group, ({ weight }) => weight),
      maxConnections: Float64Array.from(group, ({ maxConnections }) => maxConnections),
      identities: distinctIdentities(group),
      schedule: boundedSchedule(group.map(({ weight }) => weight)),
    }
  })
}

/** Turns of the longest round among the groups that {@link buildGroups} would make; 0 without members. */
export function longestSchedule(members: readonly Pick<GroupMember, 'weight' | 'priority'>[]): number {
  return positionsByPriority(members).reduce((longest, positions) => {
    return Math.max(longest, scheduleLength(positions.map((position) => members[position]!.weight)))
  }, 0)
}

function positionsByPriority(members: readonly Pick<GroupMember, 'priority'>[]): number[][] {
  const groups = new Map<number, number[]>()
  members.forEach(({ priority }, position) => {
    const group = groups.get(priority)
    if (group === undefined) groups.set(priority, [position])
    else group.push(position)
  })
  return [...groups].sort(([a], [b]) => a - b).map(([, positions]) => positions)
}

function boundedSchedule(weights: readonly number[]): Uint32Array {
  const turns = scheduleLength(weights)
  if (turns > MAX_SCHEDULE) throw new RangeError(`A round of ${turns} turns is longer than ${MAX_SCHEDULE}`)
  return buildSchedule(weights)
}

/**
 * The hashes of the names, all different: of two backends with the same hash, one would get all clients and the other
 * none. Where names collide, which among 1,000 happens once in 8,000 memberships, the first in order of the names keeps
 * its hash and the other gets that of a longer name; the order of the members does not matter.
 */
function distinctIdentities(members: readonly GroupMember[]): Int32Array {
  const order = members.map((_, index) => index)
  order.sort((a, b) => (members[a]!.name < members[b]!.name ? -1 : members[a]!.name > members[b]!.name ? 1 : a - b))
  const identities = new Int32Array(members.length)
  const taken = new Set<number>()
  for (const index of order) {
    const { name } = members[index]!
    let identity = identityOf(name)
    for (let n = 1; taken.has(identity); n++) identity = identityOf(`${name} ${n}`)
    taken.add(identity)
    identities[index] = identity
  }
  return identities
}
