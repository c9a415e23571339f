import { BlockList, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { formatAddress, type SocketAddress } from '../model/address.ts'
import type { DiscoveryBase } from '../model/config.ts'
import type { RefusalReason } from './member.ts'

/** Which addresses may be members. A registry that was written to by others gets no further than this. */
export class MemberFilter {
  readonly #networks: BlockList | undefined
  readonly #ports: DiscoveryBase['allow']['ports']
  readonly #localHosts: () => readonly string[]
  #own: readonly SocketAddress[] = []

  /**
   * @param own Addresses that this process listens on; a member there would send connections round in a loop.
   * @param localHosts The addresses of this machine; asked for only where a listener on every address has the port.
   */
  constructor(
    allow: DiscoveryBase['allow'],
    own: readonly SocketAddress[],
    localHosts: () => readonly string[] = hostsOfMachine,
  ) {
    this.#networks = allow.networks.length === 0 ? undefined : blockListOf(allow.networks)
    this.#ports = allow.ports
    this.#localHosts = localHosts
    this.setOwn(own)
  }

  /** Takes the listeners of another configuration. */
  setOwn(own: readonly SocketAddress[]): void {
    this.#own = own
  }

  /** Why the address is refused; undefined where it may be a member. */
  refusalOf(address: SocketAddress): RefusalReason | undefined {
    if (address.family === 'unix') return 'bad-address'
    const { family, host, port } = address
    if (this.#ports.length > 0 && !this.#ports.some(({ from, to }) => port >= from && port <= to)) return 'port'
    if (this.#networks !== undefined && !this.#networks.check(host, family)) return 'network'
    return this.#isOwn(address) ? 'own-listener' : undefined
  }

  #isOwn(address: SocketAddress): boolean {
    if (address.family === 'unix') return false
    const text = formatAddress(address)
    return this.#own.some((own) => {
      if (own.family !== address.family || own.port !== address.port) return false
      if (own.host !== '0.0.0.0' && own.host !== '::') return formatAddress(own) === text
      return isLoopback(address.host) || this.#localHosts().includes(address.host)
    })
  }
}

/** Whether a host in its shortest form is this machine, by an address that every machine has. */
export function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1'
}

/** The hosts of this machine in their shortest form, as members have them. */
export function hostsOfMachine(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.map(({ address }) => shortest(address)),
  )
}

function shortest(host: string): string {
  return isIPv6(host) ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host
}

/** @param networks `10.0.0.0/8`, `fd00::/8` or one address each, as the validated file has them. */
function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [host = '', bits] = network.split('/')
    const family = isIPv6(host) ? 'ipv6' : 'ipv4'
    list.addSubnet(host, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family)
  }
  return list
}
