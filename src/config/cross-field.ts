import { dirname } from 'node:path'
import { formatAddress } from '../model/address.ts'
import { BoundAddresses } from './bound-addresses.ts'
import { checkWrittenPaths } from './cross-path.ts'
import type { Fault } from './fault.ts'
import type { Machine } from './machine.ts'
import { nearest } from './nearest.ts'
import { adminSocket, bindsOf, entriesOf, isMap, member, type PlacedAddress, serversOf } from './placed-address.ts'
import { printable, quote } from './quote.ts'

const maxServers = 65_536
/** sun_path of unix(7), without its final NUL. */
const maxUnixPathBytes = 107
/** Faults above which no likely name is searched for. */
const maxSuggestions = 100

/**
 * Faults between keys: names that lead nowhere, addresses and files that collide. It also takes data that the schema refuses,
 * skipping what is not as it should be, so that all faults of a file are found at once.
 */
export function checkAcross(data: unknown, configFile: string, machine: Machine): Fault[] {
  const baseDirectory = dirname(configFile)
  const listeners = entriesOf(member(data, 'listeners'))
  const upstreams = entriesOf(member(data, 'upstreams'))
  const admin = adminSocket(data, baseDirectory)
  const binds = [...admin, ...listeners.flatMap(([name, listener]) => bindsOf(name, listener, baseDirectory))]
  const servers = upstreams.map(([name, upstream]) => serversOf(name, upstream, baseDirectory))
  const bound = new BoundAddresses()
  const total = servers.reduce((sum, list) => sum + list.length, 0)
  return [
    ...checkReferences(listeners, member(data, 'upstreams')),
    ...checkOverlaps(binds, bound),
    ...servers.flatMap(checkDuplicates),
    ...servers.flatMap((list) => checkLoops(list, bound, machine)),
    ...[binds, ...servers].flatMap(checkUnixPaths),
    ...checkWrittenPaths({ data, configFile, baseDirectory, addresses: [...binds, ...servers.flat()], machine }),
    ...(total > maxServers ? [tooManyServers(total)] : []),
  ]
}

function checkReferences(listeners: readonly [string, unknown][], upstreams: unknown): Fault[] {
  const known = new Set(entriesOf(upstreams).map(([name]) => name))
  const faults: Fault[] = []
  if (!isMap(upstreams)) return faults
  for (const [name, listener] of listeners) {
    const upstream = member(listener, 'upstream')
    if (typeof upstream !== 'string' || upstream === '' || known.has(upstream)) continue
    const likely = faults.length < maxSuggestions ? nearest(upstream, known) : undefined
    const hint = likely === undefined ? 'add it to "upstreams"' : `did you mean ${printable(likely)}?`
    faults.push({
      path: ['listeners', name, 'upstream'],
      on: 'value',
      message: `there is no upstream ${quote(upstream)}`,
      hint,
    })
  }
  return faults
}

function checkOverlaps(binds: readonly PlacedAddress[], bound: BoundAddresses): Fault[] {
  const faults: Fault[] = []
  for (const bind of binds) {
    const other = bound.add(bind)
    if (other === undefined) continue
    const same = formatAddress(other.address) === formatAddress(bind.address)
    const message = same
      ? `${formatQuoted(bind)} is used by ${ownerOf(other)} already`
      : `${formatQuoted(bind)} overlaps ${formatQuoted(other)} of ${ownerOf(other)}`
    const hint = same ? 'give one of them another address' : '0.0.0.0 and [::] are every address; use another port'
    faults.push({ path: bind.path, on: 'value', message, hint })
  }
  return faults
}

function checkDuplicates(servers: readonly PlacedAddress[]): Fault[] {
  const seen = new Map<string, PlacedAddress>()
  const faults: Fault[] = []
  for (const server of servers) {
    const identity = formatAddress(server.address)
    const first = seen.get(identity)
    seen.set(identity, first ?? server)
    if (first === undefined) continue
    const message = `the server ${quote(identity)} stands in this upstream twice`
    const hint = `it is servers[${first.path[3]}] already; remove one, and use weight for a larger share`
    faults.push({ path: server.path, on: 'value', message, hint })
  }
  return faults
}

function checkLoops(servers: readonly PlacedAddress[], bound: BoundAddresses, machine: Machine): Fault[] {
  return servers.flatMap((server) => {
    const bind = bound.reachedBy(server.address, machine)
    if (bind === undefined) return []
    const message = `the server ${formatQuoted(server)} is ${ownerOf(bind)}: connections would go round in a loop`
    return [
      { path: server.path, on: 'value' as const, message, hint: 'write the address of a server behind this program' },
    ]
  })
}

function checkUnixPaths(addresses: readonly PlacedAddress[]): Fault[] {
  return addresses.flatMap(({ path, address }) => {
    if (address.family !== 'unix') return []
    const bytes = Buffer.byteLength(address.path)
    if (bytes <= maxUnixPathBytes) return []
    const message = `the path of this socket has ${bytes} bytes: ${quote(address.path)}`
    return [{ path, on: 'value' as const, message, hint: `the kernel takes at most ${maxUnixPathBytes}` }]
  })
}

function tooManyServers(total: number): Fault {
  const hint = `at most ${maxServers} fit; spread them over several processes`
  return { path: ['upstreams'], on: 'key', message: `the file has ${total} servers`, hint }
}

function ownerOf({ path }: PlacedAddress): string {
  return path[0] === 'admin' ? 'the admin socket' : `listener ${quote(String(path[1]))}`
}

function formatQuoted({ address }: PlacedAddress): string {
  return quote(formatAddress(address))
}
