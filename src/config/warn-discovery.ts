import { parseDuration } from '../model/units.ts'
import type { Fault } from './fault.ts'
import { printable, quote } from './quote.ts'
import { isServiceName } from './text-form.ts'
import type { WrittenUpstream } from './written.ts'

/** Three heartbeats of `mcs-lb register`, which sends one every 2 s unless told otherwise. */
const leastAgeMs = 6000

/** Backends would come and go with every heartbeat that is late. */
export function warnHeartbeats({ discovery }: WrittenUpstream): Fault | undefined {
  const { maxAge, type, score = 'heartbeat' } = discovery ?? {}
  if (maxAge === undefined || type !== 'redis-sorted-set' || score !== 'heartbeat') return undefined
  if ((parseDuration(maxAge) ?? leastAgeMs) >= leastAgeMs) return undefined
  const message = `with maxAge: ${maxAge} a late heartbeat removes its backend: mcs-lb register sends one every 2s`
  return { path: ['discovery', 'maxAge'], on: 'value', message, hint: 'write 6s or more' }
}

/** Addresses are looked up, and such a name has none. */
export function warnServiceName({ discovery }: WrittenUpstream): Fault | undefined {
  const { name = '', record } = discovery ?? {}
  if (record === 'srv' || !isServiceName(name)) return undefined
  const message = `${quote(name)} is a name of SRV records, and addresses are looked up`
  return { path: ['discovery', 'name'], on: 'value', message, hint: 'write record: srv, and remove port' }
}

/** Keys are the prefix and the address. A prefix may end in any separator; without one, a colon was forgotten. */
export function warnPrefix({ discovery }: WrittenUpstream): Fault | undefined {
  const { prefix } = discovery ?? {}
  if (prefix === undefined || !/[A-Za-z0-9]$/.test(prefix)) return undefined
  const message = `behind ${quote(prefix)} a key must go on with the address: one with a colon between them is refused`
  const hint = `write "${printable(prefix.slice(0, 64))}:" for keys such as ${quote(`${prefix.slice(-64)}:10.0.0.1:9100`)}`
  return { path: ['discovery', 'prefix'], on: 'value', message, hint }
}
