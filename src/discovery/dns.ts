import { promises as dns, type SrvRecord } from 'node:dns'
import { formatAddress, formatHostPort } from '../model/address.ts'
import type { DiscoveryConfig, ServerConfig } from '../model/config.ts'
import { Collector, Room } from './collector.ts'
import {
  describeLookup,
  type Family,
  type KnownHosts,
  LookupError,
  lookUp,
  orNothing,
  printable,
  silentIn,
} from './dns-lookup.ts'
import { parseFields } from './member.ts'
import type { Source, SourceContext, SourceRead } from './source.ts'
import { recordNames } from './source-place.ts'

type DnsConfig = Extract<DiscoveryConfig, { type: 'dns' }>

/** The first try of a server; c-ares doubles it with every round over all servers. */
const timeoutMs = 1_500
const tries = 2
/** A record that claims to be good for a week would keep a changed list away for as long. */
const maxFreshMs = 3_600_000
/** Targets of SRV records that are asked for at once. */
const lookupsAtOnce = 16
const maxPriority = 15
const maxWeight = 256

/** Members that a name stands for. The system's hosts file and search list are not consulted. */
export function dnsSource(config: DnsConfig, context: SourceContext): Source {
  const resolver = new dns.Resolver({ timeout: timeoutMs, tries })
  if (config.resolvers.length > 0) resolver.setServers([...config.resolvers])
  /** Addresses of the name itself, or of the targets of its SRV records, by the last answers. */
  const known = new Map<string, KnownHosts>()
  /** Whether what is known of the targets is all that members of this source can come from. */
  let isBaseKnown = false

  async function readAddresses(): Promise<SourceRead> {
    const ofName = knownOf(config.host)
    const families = familiesOf(config.record)
    const { hosts, ttlMs, failures, isLost, isNoName } = await lookUp(resolver, config.host, families, ofName)
    const [failed] = failures
    if (failed?.family === undefined)
      return gather([{ ...alone, hosts, port: config.port }], ttlMs, nothingAt(isNoName))
    if (isLost) throw failed
    // Of a family that has not answered yet, those are believed who were members before.
    const before = ofName.has(failed.family) ? [] : hostsBefore(failed.family)
    const refused = ofName.has(failed.family) || before.length > 0 ? nobody : { dropped: 0, unknown: [failed] }
    const read = gather(
      [{ ...alone, hosts: [...hosts, ...before], port: config.port }],
      Number.POSITIVE_INFINITY,
      nothingAt(isNoName),
      refused,
    )
    return { ...read, trouble: `${tell(failed)}; ${remedyFor(failed.family)}` }
  }

  async function readServices(): Promise<SourceRead> {
    const { records, isNoName } = await orNothing(resolver.resolveSrv(config.host)).catch((error: unknown) => {
      throw new LookupError(config.host, error)
    })
    // RFC 2782: the target "." says that there is no such service.
    const all = scaled(records.filter(({ name }) => name !== '' && name !== '.'))
    const services = inStableOrder(all).slice(0, config.maxMembers)
    const { targets, failures, isLost, ttlMs } = await lookUpTargets(services)
    const [failed] = failures
    if (failed !== undefined && isLost) throw failed
    const unknown = failures.filter(({ host, family }) => family !== undefined && !known.get(host)?.has(family))
    const freshForMs = failed === undefined ? ttlMs : Number.POSITIVE_INFINITY
    const nothing = all.length === 0 ? nothingAt(isNoName) : 'no target of its records has an address'
    const read = gather(targets, freshForMs, nothing, { dropped: all.length - services.length, unknown })
    if (!isBaseKnown && unknown[0] !== undefined && mayLack(read, unknown)) throw unknown[0]
    isBaseKnown = true
    return failed === undefined ? read : { ...read, trouble: tell(failed) }
  }

  /** Whether members of an earlier process may be those that a family of a target does not tell now. */
  function mayLack({ found }: SourceRead, unknown: readonly LookupError[]): boolean {
    const shown = new Set(found.map(({ server }) => formatAddress(server.address)))
    const members = context.members().map(({ address }) => ({ text: formatAddress(address), family: address.family }))
    const lacked = members.filter(({ text }) => !shown.has(text))
    return lacked.length < members.length && lacked.some(({ family }) => unknown.some((one) => one.family === family))
  }

  /** Asks for the targets' addresses. A family that fails keeps those that it had. */
  async function lookUpTargets(services: readonly Service[]) {
    const names = new Set(services.map(({ name }) => name))
    for (const name of known.keys()) if (!names.has(name)) known.delete(name)
    const hosts = new Map<string, readonly string[]>()
    const failures: LookupError[] = []
    const silent = new Set<Family>()
    let ttlMs = Number.POSITIVE_INFINITY
    let isLost = true
    const list = [...names]
    for (let from = 0; from < list.length; from += lookupsAtOnce) {
      const some = list.slice(from, from + lookupsAtOnce)
      const lookups = await Promise.all(
        some.map((name) => lookUp(resolver, name, familiesOf('address'), knownOf(name), silent)),
      )
      for (const [index, lookup] of lookups.entries()) {
        hosts.set(some[index]!, lookup.hosts)
        failures.push(...lookup.failures)
        ttlMs = Math.min(ttlMs, lookup.ttlMs)
        isLost &&= lookup.isLost
      }
      for (const family of silentIn(lookups)) silent.add(family)
    }
    const targets = services.map((service) => ({ ...service, hosts: hosts.get(service.name) ?? [] }))
    return { targets, failures, isLost, ttlMs }
  }

  function knownOf(name: string): KnownHosts {
    const before = known.get(name)
    if (before !== undefined) return before
    const fresh: KnownHosts = new Map()
    known.set(name, fresh)
    return fresh
  }

  function hostsBefore(family: Family): string[] {
    return context
      .members()
      .flatMap(({ address }) => (address.family === family && address.port === config.port ? [address.host] : []))
  }

  /** Services that have members first, then by name: servers that answer in another order each time change nothing. */
  function inStableOrder(services: readonly Service[]): Service[] {
    const rankOf = ({ name, port }: Service) =>
      hostsOf(name).some((host) => context.isMember(formatHostPort(host, port))) ? 0 : 1
    const ranked = services.map((service) => ({ service, rank: rankOf(service) }))
    ranked.sort((a, b) => a.rank - b.rank || compare(a.service.name, b.service.name) || a.service.port - b.service.port)
    return ranked.map(({ service }) => service)
  }

  function hostsOf(name: string): string[] {
    return [...(known.get(name)?.values() ?? [])].flat()
  }

  function nothingAt(isNoName: boolean): string {
    const name = printable(config.host)
    return isNoName ? `there is no name ${name} (NXDOMAIN)` : `${name} has no ${recordNames[config.record]} records`
  }

  function tell(error: unknown): string {
    return describeLookup(error, config.host, resolver.getServers())
  }

  function gather(targets: readonly Target[], ttlMs: number, nothing: string, refused: Refused = nobody): SourceRead {
    const collector = new Collector(context.filter)
    const room = new Room<ServerConfig>(config.maxMembers, context.isMember)
    for (const { hosts, port, weight, priority } of targets) {
      for (const host of hosts) {
        const address = formatHostPort(host, port)
        const server = collector.accept(parseFields({ address, weight, priority }), address)
        if (server === undefined) continue
        const key = formatAddress(server.address)
        const before = room.get(key)
        if (before !== undefined) collector.refuse('duplicate', key)
        if (before === undefined || before.priority > server.priority) room.put(key, server)
      }
    }
    for (const [, server] of room.entries()) collector.add(server)
    for (const { host } of byHost(refused.unknown)) collector.refuse('lookup-failed', host)
    collector.refuseTooMany(refused.dropped + room.dropped)
    return collector.result(nothing, Number.isFinite(ttlMs) ? Math.min(ttlMs, maxFreshMs) : undefined)
  }

  return {
    read: config.record === 'srv' ? readServices : readAddresses,
    describe: tell,
    interrupt: () => resolver.cancel(),
    close: async () => resolver.cancel(),
  }
}

interface Target {
  readonly hosts: readonly string[]
  readonly port: number
  readonly weight: number
  readonly priority: number
}

/** What the addresses of a name itself have beside it. */
const alone = { weight: 1, priority: 0 }

/** What a read has refused before it looked at addresses: services without a place, and lookups of which nothing is known. */
interface Refused {
  readonly dropped: number
  readonly unknown: readonly LookupError[]
}

const nobody: Refused = { dropped: 0, unknown: [] }

/** One for each name, though both families of it have failed. */
function byHost(failures: readonly LookupError[]): LookupError[] {
  return [...new Map(failures.map((failure) => [failure.host, failure])).values()]
}

function familiesOf(record: DnsConfig['record']): readonly Family[] {
  return record === 'a' ? ['ipv4'] : record === 'aaaa' ? ['ipv6'] : ['ipv4', 'ipv6']
}

/** Said where the other family is followed. */
function remedyFor(family: Family): string {
  const [has, key] = family === 'ipv6' ? ['IPv4', 'a'] : ['IPv6', 'aaaa']
  return `set record: ${key} where the name has ${has} addresses only`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

type Service = Omit<Target, 'hosts'> & { readonly name: string }

/**
 * Priorities become ranks, 0 to 15. Weights, 0 to 65535, are made to fit 1 to 256 beside those of the same priority, and
 * stay what they are where they do.
 */
export function scaled(records: readonly SrvRecord[]): Service[] {
  const ranks = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b)
  const heaviest = new Map<number, number>()
  for (const { priority, weight } of records) heaviest.set(priority, Math.max(heaviest.get(priority) ?? 0, weight))
  return records.map(({ name, port, weight, priority }) => {
    const factor = Math.min(1, maxWeight / Math.max(1, heaviest.get(priority) ?? 0))
    return {
      name,
      port,
      weight: Math.max(1, Math.round(weight * factor)),
      priority: Math.min(maxPriority, ranks.indexOf(priority)),
    }
  })
}
