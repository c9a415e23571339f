import type { promises as dns } from 'node:dns'
import { resolveBy } from './deadline.ts'

/** Which addresses a name is asked for. */
export type Family = 'ipv4' | 'ipv6'

/** The last answer of each family that ever answered for a name. */
export type KnownHosts = Map<Family, readonly string[]>

export interface Lookup {
  /** What the families hold that have answered, and what those that fail held when they answered last. */
  readonly hosts: readonly string[]
  /** Infinity where no record came. */
  readonly ttlMs: number
  /** One of each family that failed. */
  readonly failures: readonly LookupError[]
  /** Whether none answered now. */
  readonly isLost: boolean
  /** Whether there is no such name, for any type of record. */
  readonly isNoName: boolean
}

/** What was answered; an empty list where the answer is that there is nothing. */
export interface Answer<T> {
  readonly records: readonly T[]
  readonly isNoName: boolean
}

/** Longest time for one family: servers that drop what they do not know must not keep the other from being believed. */
const familyTimeoutMs = 5_000

/** Resolvers that a reason names. */
const maxNamed = 3

const nobody: ReadonlySet<Family> = new Set()

const recordOf = { ipv4: 'A', ipv6: 'AAAA' } as const

/**
 * Asks for the addresses of `host`, each family by itself, and notes in `known` what they are. Those that are `silent`
 * are not asked for: they have failed.
 */
export async function lookUp(
  resolver: dns.Resolver,
  host: string,
  families: readonly Family[],
  known: KnownHosts,
  silent: ReadonlySet<Family> = nobody,
): Promise<Lookup> {
  const ask = async (family: Family) => (silent.has(family) ? noAnswer() : askFamily(resolver, host, family))
  const answers = await Promise.allSettled(families.map(ask))
  const isLost = answers.every(({ status }) => status === 'rejected')
  const failures: LookupError[] = []
  let ttlMs = Number.POSITIVE_INFINITY
  let isNoName = false
  for (const [index, answer] of answers.entries()) {
    const family = families[index]!
    if (answer.status === 'rejected') {
      failures.push(new LookupError(host, answer.reason, { family, isLost }))
      continue
    }
    const { records } = answer.value
    known.set(
      family,
      records.map(({ address }) => address),
    )
    isNoName ||= answer.value.isNoName
    for (const { ttl } of records) ttlMs = Math.min(ttlMs, ttl * 1000)
  }
  const hosts = families.flatMap((family) => known.get(family) ?? [])
  return { hosts, ttlMs, failures, isLost, isNoName }
}

function askFamily(resolver: dns.Resolver, host: string, family: Family) {
  const options = { ttl: true } as const
  const answer = family === 'ipv4' ? resolver.resolve4(host, options) : resolver.resolve6(host, options)
  return resolveBy(orNothing(answer), familyTimeoutMs, noAnswer)
}

function noAnswer(): never {
  throw Object.assign(new Error('no answer'), { code: 'ETIMEOUT' })
}

/** Families for which nobody has answered in time, whatever the name: to ask for more would take as long each time. */
export function silentIn(lookups: readonly Lookup[]): Family[] {
  const isSilent = ({ failures }: Lookup, family: Family) =>
    failures.some((failure) => failure.family === family && failure.code === 'ETIMEOUT')
  return (['ipv4', 'ipv6'] as const).filter((family) => lookups.every((lookup) => isSilent(lookup, family)))
}

/** That there is nothing is an answer as well. */
export async function orNothing<T>(answer: Promise<T[]>): Promise<Answer<T>> {
  try {
    return { records: await answer, isNoName: false }
  } catch (error) {
    const code = codeOf(error)
    if (code !== 'ENOTFOUND' && code !== 'ENODATA') throw error
    return { records: [], isNoName: code === 'ENOTFOUND' }
  }
}

/** The question for `host` failed, or that for one family of its addresses. */
export class LookupError extends Error {
  readonly host: string
  readonly code: string
  readonly family: Family | undefined
  /** Whether no other family has answered either. */
  readonly isLost: boolean

  constructor(host: string, cause: unknown, { family, isLost = true }: { family?: Family; isLost?: boolean } = {}) {
    const code = codeOf(cause)
    super(`cannot look up ${host}: ${code || String(cause)}`)
    this.host = host
    this.code = code
    this.family = family
    this.isLost = isLost
  }
}

/** Names of targets come from the network; the rest is from the configuration, and from a list of codes. */
export function describeLookup(error: unknown, ownHost: string, resolvers: readonly string[]): string {
  const known: Readonly<Record<string, string>> = {
    ETIMEOUT: 'no server answered in time',
    ECONNREFUSED: 'no server takes questions',
    ESERVFAIL: 'the server failed',
    EREFUSED: 'the server refused the question',
    ECANCELLED: 'no answer came in time',
  }
  const host = error instanceof LookupError ? error.host : ownHost
  const family = error instanceof LookupError && !error.isLost ? error.family : undefined
  const records = family === undefined ? '' : `the ${recordOf[family]} records of `
  const target = `${records}${printable(host)}${host === ownHost ? '' : `, a target of ${ownHost}`}`
  const more = resolvers.length > maxNamed ? ` and ${resolvers.length - maxNamed} more` : ''
  const asked = resolvers.length === 0 ? '' : ` (asked ${resolvers.slice(0, maxNamed).join(', ')}${more})`
  const code = codeOf(error)
  return `Cannot look up ${target}: ${known[code] ?? (code || String(error))}${asked}`
}

/** A name as a message may show it. */
export function printable(name: string): string {
  return name.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, 255)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
