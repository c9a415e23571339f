import { resolve } from 'node:path'
import type { SocketAddress } from '../model/address.ts'
import { parseAddress } from './address.ts'
import type { Path } from './fault.ts'
import type { AddressRole } from './schema.ts'

/** An address of the file, and where it stands. */
export interface PlacedAddress {
  readonly path: Path
  readonly address: SocketAddress
}

/** The socket of the admin interface, if there is one. */
export function adminSocket(data: unknown, baseDirectory: string): PlacedAddress[] {
  const socket = member(member(data, 'admin'), 'socket')
  if (typeof socket !== 'string' || !socket.includes('/')) return []
  return [{ path: ['admin', 'socket'], address: { family: 'unix', path: resolve(baseDirectory, socket) } }]
}

/** The addresses of one listener that can be read; others are skipped. */
export function bindsOf(name: string, listener: unknown, baseDirectory: string): PlacedAddress[] {
  const bind = member(listener, 'bind')
  const path = ['listeners', name, 'bind']
  if (!Array.isArray(bind)) return placed(bind, path, 'listener', baseDirectory)
  return bind.flatMap((item: unknown, index) => placed(item, [...path, index], 'listener', baseDirectory))
}

/** The addresses of one upstream that can be read; others are skipped. */
export function serversOf(name: string, upstream: unknown, baseDirectory: string): PlacedAddress[] {
  const servers = member(upstream, 'servers')
  if (!Array.isArray(servers)) return []
  return servers.flatMap((server: unknown, index) =>
    placed(member(server, 'address'), ['upstreams', name, 'servers', index, 'address'], 'server', baseDirectory),
  )
}

function placed(text: unknown, path: Path, role: AddressRole, baseDirectory: string): PlacedAddress[] {
  const parsed = typeof text === 'string' ? parseAddress(text, role) : undefined
  if (parsed === undefined || 'message' in parsed) return []
  const address = parsed.address
  if (address.family !== 'unix') return [{ path, address }]
  return [{ path, address: { family: 'unix', path: resolve(baseDirectory, address.path) } }]
}

/** The entries of a map; none for anything else. */
export function entriesOf(value: unknown): [string, unknown][] {
  return isMap(value) ? Object.entries(value) : []
}

/** The value of a key; undefined where there is no such key or no map. */
export function member(value: unknown, key: string): unknown {
  return isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined
}

/** Whether a value is a map of keys. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
