import { formatAddress, type SocketAddress } from '../model/address.ts'
import type { Machine } from './machine.ts'
import type { PlacedAddress } from './placed-address.ts'

const wildcards = { ipv4: '0.0.0.0', ipv6: '::' } as const

/**
 * The addresses that this process binds, looked up by what would collide with them or lead back to them. `[::]` is
 * IPv6 only, so that it never meets an IPv4 address. Port 0 is chosen by the kernel and meets nothing.
 */
export class BoundAddresses {
  readonly #exact = new Map<string, PlacedAddress>()
  /** The first address of each family and port, which a wildcard added later covers. */
  readonly #ports = new Map<string, PlacedAddress>()

  /** Takes an address in, and gives the earlier one that cannot be bound beside it. */
  add(bind: PlacedAddress): PlacedAddress | undefined {
    const { address } = bind
    if (address.family !== 'unix' && address.port === 0) return undefined
    const other = this.#colliding(address)
    remember(this.#exact, formatAddress(address), bind)
    if (address.family !== 'unix') remember(this.#ports, portOf(address), bind)
    return other
  }

  /** The bind that a backend's address leads back to, as far as this machine's own addresses tell. */
  reachedBy(server: SocketAddress, machine: Machine): PlacedAddress | undefined {
    const same = this.#exact.get(formatAddress(server))
    if (same !== undefined || server.family === 'unix') return same
    return isOwn(server.host, machine) ? this.#wildcardFor(server) : undefined
  }

  #colliding(address: SocketAddress): PlacedAddress | undefined {
    const same = this.#exact.get(formatAddress(address))
    if (same !== undefined || address.family === 'unix') return same
    return address.host === wildcards[address.family] ? this.#ports.get(portOf(address)) : this.#wildcardFor(address)
  }

  #wildcardFor(address: InternetAddress): PlacedAddress | undefined {
    return this.#exact.get(formatAddress({ ...address, host: wildcards[address.family] }))
  }
}

type InternetAddress = Exclude<SocketAddress, { family: 'unix' }>

function portOf(address: InternetAddress): string {
  return `${address.family}:${address.port}`
}

function isOwn(host: string, machine: Machine): boolean {
  return host.startsWith('127.') || host === '::1' || machine.addresses.includes(host)
}

function remember(map: Map<string, PlacedAddress>, key: string, bind: PlacedAddress): void {
  if (!map.has(key)) map.set(key, bind)
}
