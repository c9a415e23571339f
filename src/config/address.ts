import { isIPv4, isIPv6 } from 'node:net'
import type { SocketAddress } from '../model/address.ts'
import { printable, quote } from './quote.ts'
import type { AddressRole } from './schema.ts'

/** Why a value is refused, and what would do. */
export interface Refusal {
  readonly message: string
  readonly hint: string
}

/** A refused address may be one all the same, which no connection leads to. */
type AddressRefusal = Refusal & { readonly isNoDestination?: boolean }

export type ParsedAddress = { readonly address: SocketAddress } | AddressRefusal

const forms = 'write it as 10.0.0.1:9100, [::1]:9100 or unix:/run/chat.sock'

/** Reads `host:port`, `[v6]:port` or `unix:path` as the file writes it. IPv6 hosts come back in their shortest form. */
export function parseAddress(text: string, role: AddressRole): ParsedAddress {
  if (text.startsWith('unix:')) return parseUnix(text)
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(text)
  if (match === null) return withoutPort(text, role)
  const [, ipv6, host = '', portText = ''] = match
  const port = /^(?:0|[1-9]\d{0,4})$/.test(portText) ? Number(portText) : Number.NaN
  const lowest = role === 'listener' ? 0 : 1
  if (!(port >= lowest && port <= 65535)) {
    return refuse(`${quote(text)} has the port ${quote(portText)}`, `a port is a whole number from ${lowest} to 65535`)
  }
  return ipv6 === undefined ? parseIpv4(text, host, port, role) : parseIpv6(text, ipv6, port, role)
}

function parseIpv4(text: string, host: string, port: number, role: AddressRole): ParsedAddress {
  if (isIPv4(host)) {
    const refusal = role === 'server' ? notAnIpv4Destination(text, host) : undefined
    return refusal ?? { address: { family: 'ipv4', host, port } }
  }
  if (host === '' || host === '*') {
    return role === 'server'
      ? refuse(`${quote(text)} names no host`, forms)
      : refuse(
          `${quote(text)} names no host`,
          `write 0.0.0.0:${port} for IPv4, [::]:${port} for IPv6, or both in a list`,
        )
  }
  if (/^[\d.]+$/.test(host)) return refuse(`${quote(host)} in ${quote(text)} is not an IPv4 address`, forms)
  const example = host === 'localhost' ? `, such as 127.0.0.1:${port}` : ''
  return refuse(`${quote(text)} names a host`, `host names are not looked up; write its IP address${example}`)
}

function parseIpv6(text: string, host: string, port: number, role: AddressRole): ParsedAddress {
  if (host.includes('%')) return refuse(`${quote(text)} has a zone`, 'zones are not supported; use a global address')
  if (!isIPv6(host)) return refuse(`${quote(host)} in ${quote(text)} is not an IPv6 address`, forms)
  const shortest = new URL(`http://[${host}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(shortest)
  if (mapped !== null) {
    const bytes = [mapped[1], mapped[2]]
      .map((part) => Number.parseInt(part ?? '0', 16))
      .flatMap((n) => [n >> 8, n & 255])
    return refuse(`${quote(text)} is an IPv4 address in IPv6 form`, `write ${bytes.join('.')}:${port}`)
  }
  if (role === 'server' && shortest === '::') return notADestination(text, 'every address')
  // ff00::/8 of RFC 4291, and the shortest form leaves out no digit of such a group.
  if (role === 'server' && /^ff[0-9a-f]{2}:/.test(shortest)) return notADestination(text, 'a multicast address')
  return { address: { family: 'ipv6', host: shortest, port } }
}

function parseUnix(text: string): ParsedAddress {
  const path = text.slice('unix:'.length)
  if (path === '' || path.endsWith('/')) return refuse(`${quote(text)} names no socket`, forms)
  if (path.startsWith('@')) return refuse(`${quote(text)} is an abstract socket`, 'write a path: unix:/run/chat.sock')
  if (hasControlCharacter(path)) return refuse(`${quote(text)} has a control character`, 'remove it')
  return { address: { family: 'unix', path } }
}

function withoutPort(text: string, role: AddressRole): Refusal {
  if (role === 'listener' && /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535) {
    const hint = `write "0.0.0.0:${text}" for IPv4, "[::]:${text}" for IPv6, or both in a list`
    return refuse(`${quote(text)} names no host`, hint)
  }
  const split = /^(.*):(\d{1,5})$/.exec(text)
  if (split !== null && isIPv6(split[1] ?? '')) {
    return refuse(`${quote(text)} has no brackets`, `write [${printable(split[1] ?? '')}]:${split[2]}`)
  }
  if (isIPv6(text)) return refuse(`${quote(text)} has no port`, `write [${printable(text)}]:9100`)
  if (/^[a-z]+:\/\//i.test(text)) return refuse(`${quote(text)} is a URL`, forms)
  if (text.startsWith('/'))
    return refuse(`${quote(text)} is not an address`, `write unix:${printable(text.slice(0, 100))}`)
  if (text !== '' && !/[[\]:]/.test(text)) return refuse(`${quote(text)} has no port`, forms)
  return refuse(`${quote(text)} is not an address`, forms)
}

/** Whether text holds a control character, which no path in this file may. */
export function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 32 || (code >= 127 && code < 160)) return true
  }
  return false
}

/** Addresses that no TCP connection can have at its other end: 224.0.0.0/4 is that of RFC 5771. */
function notAnIpv4Destination(text: string, host: string): AddressRefusal | undefined {
  if (host === '0.0.0.0') return notADestination(text, 'every address')
  if (host === '255.255.255.255') return notADestination(text, 'the broadcast address')
  const first = Number.parseInt(host, 10)
  return first >= 224 && first <= 239 ? notADestination(text, 'a multicast address') : undefined
}

function notADestination(text: string, what: string): AddressRefusal {
  const message = `${quote(text)} is ${what} and no destination`
  return { message, hint: 'write the address of one server', isNoDestination: true }
}

function refuse(message: string, hint: string): Refusal {
  return { message, hint }
}
