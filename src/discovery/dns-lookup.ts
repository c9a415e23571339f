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
}

/** Longest time for one family: servers that drop what they do not know must not keep the other from being believed. */
const familyTimeoutMs = 5_000

/** Answers that say there is nothing, which is an answer. */
const emptyCodes = new Set(['ENOTFOUND', 'ENODATA'])

export const recordOf = { ipv4: 'A', ipv6: 'AAAA' } as const

/** Asks for the addresses of `host`, each family by itself, and notes in `known` what they are. */
export async function lookUp(
  resolver: dns.Resolver,
  host: string,
  families: readonly Family[],
  known: KnownHosts,
): Promise<Lookup> {
  const answers = await Promise.allSettled(families.map((family) => askFamily(resolver, host, family)))
  const isLost = answers.every(({ status }) => status === 'rejected')
  const failures: LookupError[] = []
  let ttlMs = Number.POSITIVE_INFINITY
  for (const [index, answer] of answers.entries()) {
    const family = families[index]!
    if (answer.status === 'rejected') {
      failures.push(new LookupError(host, answer.reason, { family, isLost }))
      continue
    }
    const hosts = answer.value.map(({ address }) => address)
    known.set(family, hosts)
    for (const { ttl } of answer.value) ttlMs = Math.min(ttlMs, ttl * 1000)
  }
  const hosts = families.flatMap((family) => known.get(family) ?? [])
  return { hosts, ttlMs, failures, isLost }
}

function askFamily(resolver: dns.Resolver, host: string, family: Family) {
  const options = { ttl: true } as const
  const answer = family === 'ipv4' ? resolver.resolve4(host, options) : resolver.resolve6(host, options)
  return resolveBy(orNothing(answer), familyTimeoutMs, () => {
    throw Object.assign(new Error('no answer'), { code: 'ETIMEOUT' })
  })
}

/** What was answered, and an empty list where the answer is that there is nothing. */
export async function orNothing<T>(answer: Promise<T[]>): Promise<T[]> {
  try {
    return await answer
  } catch (error) {
    if (emptyCodes.has(codeOf(error))) return []
    throw error
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

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
