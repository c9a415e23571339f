import { parseAddress } from './address.ts'
import type { Fault } from './fault.ts'
import type { WrittenUpstream } from './written.ts'

/** Nobody is left to take a client, as far as the file says who there is. */
export function warnTakenOut({ servers = [], discovery }: WrittenUpstream): Fault | undefined {
  const isOut = servers.every(({ state = 'ready' }) => state !== 'ready')
  if (servers.length === 0 || discovery !== undefined || !isOut) return undefined
  const message = 'no server of this upstream takes new clients: each is state: drain or maintenance'
  return { path: ['servers'], on: 'key', message, hint: 'take state out at one, or write state: ready' }
}

/** Where there is no other, a backup is a server like any. */
export function warnOnlyBackups({ servers = [], discovery }: WrittenUpstream): Fault | undefined {
  if (servers.length === 0 || discovery !== undefined || !servers.every(({ backup }) => backup)) return undefined
  const message = 'every server of this upstream is a backup: they serve at once, as there is no other'
  return { path: ['servers'], on: 'key', message, hint: 'take backup out at those that are to serve first' }
}

/** Instances agree on a client by its hash, but each has sticky entries of its own. */
export function warnStickyHash({ sticky, balance }: WrittenUpstream): Fault | undefined {
  if (sticky === undefined || balance !== 'source-hash') return undefined
  const message = 'an entry of "sticky" counts before source-hash: instances then disagree on where a client belongs'
  return { path: ['sticky'], on: 'key', message, hint: 'remove sticky, or write another balance' }
}

/** One answer for several servers. With `health.address` that is what is wanted. */
export function warnCheckPort({ servers = [], health }: WrittenUpstream): Fault | undefined {
  if (health?.port === undefined || health.address !== undefined) return undefined
  const seen = new Set<string>()
  for (const { address = '' } of servers) {
    const parsed = parseAddress(address, 'server')
    if (!('address' in parsed) || parsed.address.family === 'unix') continue
    const { host } = parsed.address
    if (seen.has(host)) {
      const message = `several servers of this upstream are on ${host}, and port ${health.port} speaks for all of them`
      return { path: ['health', 'port'], on: 'value', message, hint: 'remove it: each is then checked at its own port' }
    }
    seen.add(host)
  }
  return undefined
}

/** The only one is never ejected, unless all may be. */
export function warnSingleOutlier({ servers = [], discovery, outlier }: WrittenUpstream): Fault | undefined {
  if (outlier === undefined || discovery !== undefined || servers.length !== 1) return undefined
  if (outlier.maxShare === '100%') return undefined
  const message = '"outlier" has no effect: the only server of an upstream is not ejected'
  return { path: ['outlier'], on: 'key', message, hint: 'remove it, or add a server' }
}
