import { buildGroups } from '#src/balance/group.js'
import type { BackendSnapshot, Membership } from '#src/model/snapshot.js'

/** All of these backends, with one priority and weight. */
export function createMembership(backends: readonly BackendSnapshot[], epoch: number): Membership {
  const members = backends.map((backend) => ({ ...backend, weight: 1, priority: 0 }))
  return { upstream: 0, epoch, backends, groups: buildGroups(members) }
}
