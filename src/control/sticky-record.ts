import { isIP, isIPv4 } from 'node:net'
import { encodeSockaddr } from '../kernel/sockaddr.ts'
import type { SourcePrefix } from '../model/config.ts'
import { formatIpv4, formatIpv6 } from '../observe/ip-text.ts'
import type { ClientKey } from '../shared/client-key.ts'

/** Longest name of an upstream or a backend that is read back. */
const MAX_NAME_LENGTH = 512
const MAX_ADDRESS_LENGTH = 45

/** A client and its backend by name, as they outlive the process. */
export interface StickyRecord {
  readonly upstream: string
  /** The client's address, cut to the upstream's prefix: `192.0.2.1`, `2001:db8::`. */
  readonly client: string
  /** As `formatAddress` writes it. */
  readonly backend: string
  /** Wall clock, ms since 1970. */
  readonly expiresAtMs: number
}

/** A record from parts that were read from outside; undefined where they are none. */
export function toStickyRecord(
  upstream: unknown,
  client: unknown,
  backend: unknown,
  expiresAtMs: unknown,
): StickyRecord | undefined {
  if (!isName(upstream) || !isName(backend)) return undefined
  if (typeof client !== 'string' || client.length > MAX_ADDRESS_LENGTH) return undefined
  if (isIP(client) === 0 || client.includes('%')) return undefined
  if (typeof expiresAtMs !== 'number' || !Number.isSafeInteger(expiresAtMs)) return undefined
  return { upstream, client, backend, expiresAtMs }
}

/** The address of a key as text. */
export function clientText(key: ClientKey): string {
  return key.isIpv4() ? formatIpv4(key.bytes.subarray(12)) : formatIpv6(key.bytes)
}

/** Fills a key from the address of a record, cut to the prefix that holds now. */
export function setClientText(key: ClientKey, upstreamRow: number, client: string, prefix: SourcePrefix): void {
  if (isIPv4(client)) {
    const sockaddr = encodeSockaddr({ family: 'ipv4', host: client, port: 0 })
    key.setIpv4(upstreamRow, sockaddr, 4, prefix)
  } else {
    const sockaddr = encodeSockaddr({ family: 'ipv6', host: client, port: 0 })
    key.setIpv6(upstreamRow, sockaddr, 8, prefix)
  }
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_NAME_LENGTH
}
