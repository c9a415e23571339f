import { promises as dns, type SrvRecord } from 'node:dns'
import { formatAddress } from '../model/address.ts'
import type { DiscoveryConfig, ServerConfig } from '../model/config.ts'
import { Collector, Room } from './collector.ts'
import { parseFields } from './member.ts'
import type { Source, SourceContext, SourceRead } from './source.ts'

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

/** Answers that say there is nothing, which is an answer. */
const emptyCodes = new Set(['ENOTFOUND', 'ENODATA'])

interface Lookup {
  readonly hosts: readonly string[]
  /** Infinity where no record came. */
  readonly ttlMs: number
}

/** Members that a name stands for. The system's hosts file and search list are not consulted. */
export function dnsSource(config: DnsConfig, context: SourceContext): Source {
  const resolver = new dns.Resolver({ timeout: timeoutMs, tries })
  if (config.resolvers.length > 0) resolver.setServers([...config.resolvers])

  async function readAddresses(): Promise<SourceRead> {
    const { hosts, ttlMs } = await lookUp(resolver, config.host, config.record)
    return gather([{ hosts, port: config.port, weight: 1, priority: 0 }], ttlMs)
  }

  async function readServices(): Promise<SourceRead> {
    const records = await orNothing(resolver.resolveSrv(config.host))
    // RFC 2782: the target "." says that there is no such service.
    const services = scaled(records.filter(({ name }) => name !== '' && name !== '.').slice(0, config.maxMembers))
    const targets: Target[] = []
    let ttlMs = Number.POSITIVE_INFINITY
    for (let from = 0; from < services.length; from += lookupsAtOnce) {
      const some = services.slice(from, from + lookupsAtOnce)
      const lookups = await Promise.all(some.map(({ name }) => lookUp(resolver, name, 'address')))
      for (const [index, lookup] of lookups.entries()) {
        targets.push({ ...some[index]!, hosts: lookup.hosts })
        ttlMs = Math.min(ttlMs, lookup.ttlMs)
      }
    }
    return gather(targets, ttlMs)
  }

  function gather(targets: readonly Target[], ttlMs: number): SourceRead {
    const collector = new Collector(context.filter)
    const room = new Room<ServerConfig>(config.maxMembers, context.isMember)
    for (const { hosts, port, weight, priority } of targets) {
      for (const host of hosts) {
        const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
        const server = collector.accept(parseFields({ address, weight, priority }))
        if (server === undefined) continue
        const key = formatAddress(server.address)
        const before = room.get(key)
        if (before !== undefined) collector.refuse('duplicate')
        if (before === undefined || before.priority > server.priority) room.put(key, server)
      }
    }
    for (const [, server] of room.entries()) collector.add(server)
    collector.refuse('too-many', room.dropped)
    return collector.result(Number.isFinite(ttlMs) ? Math.min(ttlMs, maxFreshMs) : undefined)
  }

  return {
    read: config.record === 'srv' ? readServices : readAddresses,
    describe: (error) => describe(error, config.host),
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

async function lookUp(resolver: dns.Resolver, host: string, record: 'address' | 'a' | 'aaaa' | 'srv'): Promise<Lookup> {
  const [ipv4, ipv6] = await Promise.all([
    record === 'aaaa' ? [] : orNothing(resolver.resolve4(host, { ttl: true })),
    record === 'a' ? [] : orNothing(resolver.resolve6(host, { ttl: true })),
  ])
  const records = [...ipv4, ...ipv6]
  const ttlMs = records.reduce((least, { ttl }) => Math.min(least, ttl * 1000), Number.POSITIVE_INFINITY)
  return { hosts: records.map(({ address }) => address), ttlMs }
}

async function orNothing<T>(answer: Promise<T[]>): Promise<T[]> {
  try {
    return await answer
  } catch (error) {
    if (emptyCodes.has(codeOf(error))) return []
    throw error
  }
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

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** The name comes from the configuration, and the rest from a list of codes: nothing of it is from the network. */
function describe(error: unknown, host: string): string {
  const known: Readonly<Record<string, string>> = {
    ETIMEOUT: 'no server answered in time',
    ECONNREFUSED: 'no server takes questions',
    ESERVFAIL: 'the server failed',
    EREFUSED: 'the server refused the question',
    ECANCELLED: 'no answer came in time',
  }
  const code = codeOf(error)
  return `Cannot look up ${host}: ${known[code] ?? (code || String(error))}`
}
