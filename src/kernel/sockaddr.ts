import type { SocketAddress } from '../model/address.ts'
import { AF_INET, AF_INET6, AF_UNIX } from './constants.ts'

/** Longest path that `struct sockaddr_un` holds with its closing NUL (unix(7)). */
const MAX_UNIX_PATH_BYTES = 107

/** The first byte of 127.0.0.0/8. */
const LOOPBACK_NETWORK = 127

/** The socket domain of an address: AF_INET, AF_INET6 or AF_UNIX. */
export function domainOf(address: SocketAddress): number {
  return address.family === 'ipv4' ? AF_INET : address.family === 'ipv6' ? AF_INET6 : AF_UNIX
}

/**
 * `struct sockaddr` of an address, as bind(2) and connect(2) take it. A unix path longer than
 * {@link MAX_UNIX_PATH_BYTES} throws a RangeError; the configuration refuses it before.
 */
export function encodeSockaddr(address: SocketAddress): Uint8Array {
  switch (address.family) {
    case 'ipv4':
      return encodeIpv4(address.host, address.port)
    case 'ipv6':
      return encodeIpv6(address.host, address.port)
    case 'unix':
      return encodeUnix(address.path)
  }
}

/** Whether a `struct sockaddr` has an address of 127.0.0.0/8, or ::1, or one of the former in IPv6's form. */
export function isLoopback(sockaddr: Uint8Array): boolean {
  const family = sockaddr[0]! | (sockaddr[1]! << 8)
  if (family === AF_INET) return sockaddr[4] === LOOPBACK_NETWORK
  if (family !== AF_INET6) return false
  for (let i = 8; i < 18; i++) if (sockaddr[i] !== 0) return false
  if (sockaddr[18] === 0xff && sockaddr[19] === 0xff) return sockaddr[20] === LOOPBACK_NETWORK
  for (let i = 18; i < 23; i++) if (sockaddr[i] !== 0) return false
  return sockaddr[23] === 1
}

function encodeIpv4(host: string, port: number): Uint8Array {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt16LE(AF_INET, 0)
  bytes.writeUInt16BE(port, 2)
  host.split('.').forEach((part, i) => {
    bytes[4 + i] = Number(part)
  })
  return bytes
}

function encodeIpv6(host: string, port: number): Uint8Array {
  const bytes = Buffer.alloc(28)
  const [address = '', zone] = host.split('%')
  bytes.writeUInt16LE(AF_INET6, 0)
  bytes.writeUInt16BE(port, 2)
  ipv6Groups(address).forEach((group, i) => {
    bytes.writeUInt16BE(group, 8 + 2 * i)
  })
  if (zone !== undefined) bytes.writeUInt32LE(Number(zone), 24)
  return bytes
}

/** The eight 16-bit groups of a valid IPv6 address, `::` and an IPv4 tail resolved. */
function ipv6Groups(host: string): number[] {
  const withoutTail = host.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => {
    const high = (Number(a) << 8) | Number(b)
    const low = (Number(c) << 8) | Number(d)
    return `${high.toString(16)}:${low.toString(16)}`
  })
  const [head = '', tail] = withoutTail.split('::')
  const parse = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const before = parse(head)
  const after = parse(tail ?? '')
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  return [...before, ...new Array<number>(zeros).fill(0), ...after]
}

function encodeUnix(path: string): Uint8Array {
  const name = Buffer.from(path)
  if (name.length > MAX_UNIX_PATH_BYTES) throw new RangeError(`Unix socket path is longer than ${MAX_UNIX_PATH_BYTES}`)
  const bytes = Buffer.alloc(2 + name.length + 1)
  bytes.writeUInt16LE(AF_UNIX, 0)
  name.copy(bytes, 2)
  return bytes
}
