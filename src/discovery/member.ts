import { isIP, isIPv6 } from 'node:net'
import { parseAddress } from '../config/address.ts'
import { formatAddress, type SocketAddress } from '../model/address.ts'
import { BACKUP_PRIORITY, type ServerConfig, type ServerState } from '../model/config.ts'

/** Why an entry of a registry is no member. */
export type RefusalReason =
  | 'bad-address'
  | 'no-destination'
  | 'bad-value'
  | 'own-listener'
  | 'network'
  | 'port'
  | 'duplicate'
  | 'wrong-type'
  | 'bad-score'
  | 'future-score'
  | 'too-many'
  | 'lookup-failed'

/** How many entries of one read were refused, by reason. */
export type Refusals = ReadonlyMap<RefusalReason, number>

export type ParsedMember = { readonly server: ServerConfig } | Refusal

interface Refusal {
  readonly reason: RefusalReason
  /** What of a `bad-value` is wrong, as a log may show it. */
  readonly detail?: string
}

type ParsedDestination = { readonly address: SocketAddress } | { readonly reason: RefusalReason }

/** Largest value that is read as JSON, in bytes. */
export const maxValueBytes = 4096
/** `[`, eight groups, `]:65535`, and room for zeros. */
const maxAddressCharacters = 64
export const maxZoneCharacters = 64
/** Of a wrong value. */
const maxShownCharacters = 32
/** What an entry may have. */
export const memberFields: readonly string[] = [
  'address',
  'weight',
  'priority',
  'backup',
  'state',
  'maxConnections',
  'zone',
]

/**
 * One entry of a registry: `IP:PORT`, `[v6]:port`, or `v6:port` where that can be read in one way only; or a JSON object
 * with an `address` of that form and the options of a value.
 *
 * @param value What stands beside the address: JSON with options, or anything that is no JSON object, as heartbeats are.
 */
export function parseMember(text: string, value = ''): ParsedMember {
  if (!text.startsWith('{')) return parseParts(text, parseValue(value))
  const fields = parseValue(text)
  return typeof fields === 'string' ? badValue(fields) : parseFields(fields)
}

/** A member that is JSON or YAML already: an address, or an object with an `address`. */
export function parseFields(entry: unknown): ParsedMember {
  if (typeof entry === 'string') return parseParts(entry, {})
  if (!isMap(entry)) return badValue(`${describeValue(entry)} is neither an address nor an object`)
  const { address } = entry
  return typeof address === 'string' ? parseParts(address, entry) : { reason: 'bad-address' }
}

/** @param fields The options, or why they cannot be read. */
function parseParts(text: string, fields: Fields | string): ParsedMember {
  const parsed = parseDestination(text)
  if ('reason' in parsed) return parsed
  const options = typeof fields === 'string' ? fields : parseOptions(fields)
  return typeof options === 'string' ? badValue(options) : { server: { address: parsed.address, ...options } }
}

function badValue(detail: string): Refusal {
  return { reason: 'bad-value', detail }
}

/** The address that a text of a registry names, in its one shortest form. Only single hosts can be connected to. */
export function parseDestination(text: string): ParsedDestination {
  if (text.length > maxAddressCharacters || text.startsWith('unix:')) return { reason: 'bad-address' }
  const parsed = parseAddress(withBrackets(text), 'server')
  if (!('address' in parsed)) return { reason: parsed.isNoDestination ? 'no-destination' : 'bad-address' }
  return isDestination(parsed.address) ? parsed : { reason: 'no-destination' }
}

/** `2001:db8::1:9100` could be an address without a port; only what is no address as a whole gets brackets. */
function withBrackets(text: string): string {
  const split = /^([0-9A-Fa-f:.]+):(\d{1,5})$/.exec(text)
  return split !== null && isIPv6(split[1] ?? '') && isIP(text) === 0 ? `[${split[1]}]:${split[2]}` : text
}

/** Neither this network (0/8), multicast, reserved or broadcast (224/3), nor IPv6 multicast or link-local without zone. */
function isDestination(address: SocketAddress): boolean {
  if (address.family === 'unix') return false
  if (address.family === 'ipv6') return !/^(?:ff[0-9a-f]{2}|fe[89ab][0-9a-f]):/.test(address.host)
  const first = Number(address.host.split('.', 1)[0])
  return first > 0 && first < 224
}

type Fields = Readonly<Record<string, unknown>>
type Options = Omit<ServerConfig, 'address'>

/** The JSON object that a value carries, empty where it carries none; what is wrong where it is broken or too long. */
function parseValue(text: string): Fields | string {
  if (!/^\s{0,16}\{/.test(text)) return {}
  if (Buffer.byteLength(text) > maxValueBytes) return `it is longer than ${maxValueBytes} bytes`
  try {
    const value: unknown = JSON.parse(text)
    return isMap(value) ? value : notJson
  } catch {
    return notJson
  }
}

const notJson = 'it begins as JSON, and is none'

/**
 * The options, or what is wrong with them. What is not known is ignored, so that registries may hold more; a known field
 * of a wrong type is a refusal.
 */
function parseOptions(fields: Fields): Options | string {
  const { weight = 1, priority = 0, backup = false, state = 'ready', maxConnections = 'unlimited', zone = '' } = fields
  if (!isWhole(weight, 1, 256)) return fault('weight', weight, '1 to 256')
  if (!isWhole(priority, 0, 15)) return fault('priority', priority, '0 to 15')
  if (typeof backup !== 'boolean') return fault('backup', backup, 'true or false')
  if (backup && fields.priority !== undefined) return 'priority stands beside backup; write one of them'
  if (!isState(state)) return fault('state', state, 'ready, drain or maintenance')
  if (maxConnections !== 'unlimited' && !isWhole(maxConnections, 1, 1_000_000))
    return fault('maxConnections', maxConnections, '1 to 1000000')
  if (typeof zone !== 'string' || zone.length > maxZoneCharacters)
    return fault('zone', zone, `text of ${maxZoneCharacters} characters at most`)
  return {
    weight,
    maxConnections: maxConnections === 'unlimited' ? Number.POSITIVE_INFINITY : maxConnections,
    priority: backup ? BACKUP_PRIORITY : priority,
    state,
    zone,
  }
}

function fault(field: string, value: unknown, wanted: string): string {
  return `${field} is ${describeValue(value)}; write ${wanted}`
}

/** A value as a log may show it, in printable ASCII: no more than the beginning of a text, and nothing of an object. */
function describeValue(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value !== 'string') return String(value)
  const shown = JSON.stringify(value.slice(0, maxShownCharacters)).replaceAll(/[^\x20-\x7e]/g, '?')
  return value.length > maxShownCharacters ? `${shown.slice(0, -1)}…"` : shown
}

function isWhole(value: unknown, lowest: number, highest: number): value is number {
  return Number.isInteger(value) && (value as number) >= lowest && (value as number) <= highest
}

function isState(value: unknown): value is ServerState {
  return value === 'ready' || value === 'drain' || value === 'maintenance'
}

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A member as JSON that {@link parseFields} reads back; what is the default is left out. */
export function toFields(server: ServerConfig): Record<string, unknown> {
  const { weight, priority, state, maxConnections, zone } = server
  return {
    address: formatAddress(server.address),
    ...(weight === 1 ? {} : { weight }),
    ...(priority === BACKUP_PRIORITY ? { backup: true } : priority === 0 ? {} : { priority }),
    ...(state === 'ready' ? {} : { state }),
    ...(Number.isFinite(maxConnections) ? { maxConnections } : {}),
    ...(zone === '' ? {} : { zone }),
  }
}
