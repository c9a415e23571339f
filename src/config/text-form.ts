import { isIP } from 'node:net'
import { parsePercent, parseRange } from '../model/units.ts'
import { hasControlCharacter, type Refusal } from './address.ts'
import { printable, quote } from './quote.ts'
import type { Bounds } from './schema.ts'

/** `50%`, within bounds. */
export function checkPercent(rule: Bounds, text: string): Refusal | undefined {
  const value = parsePercent(text)
  const hint = `write a share from ${rule.minimum} to ${rule.maximum}, such as 30%`
  if (value === undefined) return { message: `${quote(text)} is not a percentage`, hint }
  const isWithin = value >= (parsePercent(rule.minimum) ?? 0) && value <= (parsePercent(rule.maximum) ?? 1)
  return isWithin ? undefined : { message: `${text} is not from ${rule.minimum} to ${rule.maximum}`, hint }
}

/** `200` or `200-299`, within bounds. */
export function checkRange(rule: { minimum: number; maximum: number }, text: string): Refusal | undefined {
  const range = parseRange(text)
  if (range !== undefined && range.from >= rule.minimum && range.to <= rule.maximum) return undefined
  const hundred = /^([1-5])xx$/i.exec(text)?.[1]
  const between = `write ${rule.minimum}, or ${rule.minimum}-${rule.maximum}, or what lies between`
  const hint = hundred === undefined ? between : `write "${hundred}00-${hundred}99"`
  return { message: `${quote(text)} is not a range of whole numbers from ${rule.minimum} to ${rule.maximum}`, hint }
}

/** An IP address; with a port too where `port` is `optional`. */
export function checkIp(port: 'none' | 'optional', text: string): Refusal | undefined {
  if (ipFamily(text) !== 0 || (port === 'optional' && splitHostPort(text, ipFamily) !== undefined)) return undefined
  const hint = port === 'none' ? 'write 10.0.0.1 or fd00::1' : 'write 10.0.0.1, 10.0.0.1:53 or [fd00::1]:53'
  return { message: `${quote(text)} is not an IP address`, hint }
}

/** `10.0.0.0/8`, `fd00::/8`, or one address. */
export function checkNetwork(text: string): Refusal | undefined {
  const match = /^([^/]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text)
  const family = ipFamily(match?.[1] ?? '')
  const bits = Number(match?.[2] ?? 0)
  if (family !== 0 && bits <= (family === 4 ? 32 : 128)) return undefined
  return { message: `${quote(text)} is not a network`, hint: 'write 10.0.0.0/8, fd00::/8 or one address' }
}

/** `host:port`; the host may be a name. */
export function checkHostPort(text: string): Refusal | undefined {
  const isHost = (host: string) => (isHostName(host) ? 1 : ipFamily(host))
  if (splitHostPort(text, isHost) !== undefined) return undefined
  const hint = 'write redis.internal:26379, 10.0.0.1:26379 or [fd00::1]:26379'
  return { message: `${quote(text)} is not a host and a port`, hint }
}

/** A host name; empty text is left to the length that the schema asks for. */
export function checkHostName(text: string): Refusal | undefined {
  if (text === '' || isHostName(text)) return undefined
  return { message: `${quote(text)} is not a host name`, hint: 'write a name such as chat.internal' }
}

/** Whether a host name is `_service._protocol.name`, as names of SRV records are (RFC 2782). */
export function isServiceName(name: string): boolean {
  return /^_[^.]+\._(?:tcp|udp|sctp|tls)(?:\.|$)/i.test(name)
}

/** Pairs of hexadecimal digits; blanks between them are allowed. It may be a login, so that it is not quoted. */
export function checkHex(text: string): Refusal | undefined {
  if (/^[0-9A-Fa-f\s]*$/.test(text) && /^(?:\s*[0-9A-Fa-f]{2})+\s*$/.test(text)) return undefined
  return { message: 'this is not a row of hexadecimal pairs', hint: 'write it as "48 65 6c 6c 6f"' }
}

/** What a request asks for: it starts with a slash, and nothing in it ends the line. */
export function checkHttpPath(text: string): Refusal | undefined {
  const hint = 'write a path such as /health, with %20 for a blank'
  if (!text.startsWith('/')) return { message: `${quote(text)} does not start with a "/"`, hint }
  return /^[!-~]*$/.test(text) ? undefined : { message: `${quote(text)} has a character that no path has`, hint }
}

/** Text without control characters: they would end a header or a field. */
export function checkPlain(text: string): Refusal | undefined {
  if (!hasControlCharacter(text)) return undefined
  return { message: `${quote(text)} has a control character`, hint: 'remove it' }
}

/** `redis://` or `rediss://`. What it says of the URL never quotes it: there may be a password in it. */
export function checkRedisUrl(text: string): Refusal | undefined {
  const hint = 'write redis://host:6379, or rediss://user:password@host:6379/0 for TLS'
  const url = hasControlCharacter(text) || !URL.canParse(text) ? undefined : new URL(text)
  if (url === undefined) return { message: 'this is not a URL', hint }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    return { message: 'this is not a URL of Redis', hint }
  }
  if (url.hostname === '' || url.port === '0') return { message: 'the URL names no host, or port 0', hint }
  if (!/^\/?\d{0,5}$/.test(url.pathname)) return { message: 'the database of the URL is not a number', hint }
  // The client would take a query for options of its own.
  if (/[?#]/.test(text))
    return { message: 'the URL has a "?" or a "#"', hint: 'in a password write %3F and %23 for them' }
  if (!isDecodable(url.username) || !isDecodable(url.password)) {
    return { message: 'the password of the URL has a "%" that stands for nothing', hint: 'write %25 for it' }
  }
  return undefined
}

/** A key of Redis. Quotation marks that a word processor made are part of the text to YAML, and of no key. */
export function checkRedisKey(text: string): Refusal | undefined {
  const bare = text.replace(typographicQuotes, '')
  if (bare === text) return undefined
  const hint = bare === '' ? 'write plain ones' : `write "${printable(bare.slice(0, 64))}", with plain ones`
  return { message: `${quote(text)} has typographic quotation marks`, hint }
}

/** What keys of Redis begin with. It is taken as it stands, so that a pattern would find nothing. */
export function checkRedisPrefix(text: string): Refusal | undefined {
  if (!text.endsWith('*')) return checkRedisKey(text)
  const bare = text.replace(/\*+$/, '')
  const hint = bare === '' ? 'write what keys begin with' : `write "${printable(bare.slice(0, 64))}"`
  return { message: `${quote(text)} ends in a "*"`, hint: `${hint}; it is no pattern` }
}

const typographicQuotes = /[\u2018-\u201f\u00ab\u00bb]/g

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** 4, 6 or 0. An address with a zone is none: what it means differs between machines. */
function ipFamily(text: string): number {
  return text.includes('%') ? 0 : isIP(text)
}

/** Whether it is a name; digits and dots that look like an address, and are none, are no name either. */
function isHostName(text: string): boolean {
  return hostName.test(text) && !/(?:^|\.)\d+\.?$/.test(text)
}

const hostName = /^(?=.{1,253}$)[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(?:\.[A-Za-z0-9_-]{1,63})*\.?$/

/** Host, without brackets, and port; undefined where the text has another form or `accepts` gives 0 for the host. */
export function splitHostPort(
  text: string,
  accepts: (host: string) => number,
): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):([1-9]\d{0,4})$/.exec(text)
  if (match === null) return undefined
  const [, bracketed, plain = '', port = ''] = match
  if (bracketed !== undefined && ipFamily(bracketed) !== 6) return undefined
  const host = bracketed ?? plain
  return accepts(host) !== 0 && Number(port) <= 65_535 ? { host, port: Number(port) } : undefined
}
