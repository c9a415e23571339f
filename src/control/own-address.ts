import { readFileSync } from 'node:fs'
import { hostsOfMachine, isLoopback } from '../discovery/member-filter.ts'
import type { SocketAddress } from '../model/address.ts'

/** Linux's own default. */
const defaultRange = [32_768, 60_999] as const

/**
 * Tells the addresses of this machine whose ports the kernel gives to sockets that connect: one of those may be joined to
 * itself where nobody listens. What it knows of the machine is of the moment of this call.
 */
export function ownEphemeralAddresses(): (address: SocketAddress) => boolean {
  const [first, last] = ephemeralRange()
  let hosts: ReadonlySet<string> | undefined
  return (address) => {
    if (address.family === 'unix' || address.port < first || address.port > last) return false
    if (isLoopback(address.host)) return true
    hosts ??= new Set(hostsOfMachine())
    return hosts.has(address.host.split('%')[0]!)
  }
}

function ephemeralRange(): readonly [first: number, last: number] {
  try {
    const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number)
    return [first!, last!]
  } catch {
    return defaultRange
  }
}
