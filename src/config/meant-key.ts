import type { Path } from './fault.ts'
import { foreignKeys, plainName } from './foreign-name.ts'
import { foreignNote } from './foreign-note.ts'
import { keyPlaces, templateOf } from './key-places.ts'
import { nearest } from './nearest.ts'
import { redisUrlHint } from './redis-url-hint.ts'
import { schema, schemaAt } from './schema.ts'
import { nodeAt, type SourceNode } from './source.ts'
import { keyWithoutBlank } from './yaml-fault.ts'

/** Words that say so little that a key of that name further inside is hardly meant. */
const common = ['name', 'type', 'path', 'key', 'by', 'url', 'port', 'address', 'tls', 'host']
/** Words, theirs and ours, that mean something else in another section. */
const vague: ReadonlySet<string> = new Set([
  ...common,
  ...['ip', 'addr', 'endpoint', 'server', 'target', 'pool', 'method', 'status', 'body', 'role', 'username', 'password'],
  ...['user', 'database', 'ttl', 'timeout', 'interval', 'prefix', 'score', 'record', 'state', 'drain', 'connections'],
  ...['to', 'master', 'nodes', 'send', 'expect', 'verify', 'ca', 'servername', 'ports', 'networks', 'allow'],
])
const maxPlaces = 3

/** What was probably meant by an unknown key. */
export interface MeantKey {
  /** The key of the same map that was meant, if it is one. */
  readonly key: string | undefined
  readonly hint: string
}

/**
 * Looks for an unknown key of the map at `path`: in that map, then by its name and the names of other programs inside
 * it, then in the maps around it, then elsewhere in the file.
 */
export function meantKey(key: string, path: Path, root: SourceNode): MeantKey {
  const keys = Object.keys(schemaAt(path)?.properties ?? {})
  const before = keyWithoutBlank(key)
  if (before !== undefined && keys.includes(before)) return { key: before, hint: `put a blank after ${before}:` }
  const same = keys.find((candidate) => plainName(candidate) === plainName(key))
  if (same !== undefined) return didYouMean(same)
  const here = templateOf(path)
  const note = noteOn(key, path, here, root)
  if (note !== undefined) return { key: undefined, hint: note }
  const own = ownPlaces(key, nodeAt(root, [...path, key]))
  const foreign = foreignPlaces(plainName(key))
  const beside = foreign.find((place) => parentOf(place) === here)
  if (beside !== undefined) return didYouMean(lastOf(beside))
  const likely = nearest(key, keys)
  if (likely !== undefined && inside(own, here, plainName(key)).length === 0) return didYouMean(likely)
  const shown = likelyPlaces(plainName(key), here, own, foreign)
  if (shown.length > 0 && shown.length <= maxPlaces) return { key: undefined, hint: `it is ${shown.join(' or ')}` }
  return { key: undefined, hint: `the keys here are ${keys.join(', ')}` }
}

function didYouMean(key: string): MeantKey {
  return { key, hint: `did you mean ${key}?` }
}

/** What to do about a key for which there is no other key, or only one that its map explains. */
function noteOn(key: string, path: Path, here: string, root: SourceNode): string | undefined {
  const url = schemaAt(path) === schema.$defs.redis ? redisUrlHint(key, nodeAt(root, path)) : undefined
  if (url !== undefined) return url
  const name = plainName(key)
  if (name === 'ttl' && here.startsWith('upstreams.<name>.discovery')) {
    return "the entry's own time to live counts, as mcs-lb register --ttl gives it; of a sorted set it is maxAge"
  }
  const twoWords = `${plainName(lastOf(here)).replace(/s$/, '')}${name}`
  const [place] = here === '' ? [] : foreignPlaces(twoWords)
  const around = `${parentOf(parentOf(place ?? ''))}.`
  if (place !== undefined) return `it is ${here.startsWith(around) ? place.slice(around.length) : place}`
  return foreignNote(twoWords, here) ?? foreignNote(name, here)
}

/** Where keys of this name stand whose value is of this kind. */
function ownPlaces(key: string, value: SourceNode | undefined): readonly string[] {
  const known = keyPlaces()
  const isMap = value?.kind === 'map'
  return (known.byName.get(plainName(key)) ?? []).filter((place) => known.all.get(place) === isMap)
}

/** Where the keys stand that others call so. */
function foreignPlaces(name: string): readonly string[] {
  return (foreignKeys.get(name) ?? []).filter((place) => keyPlaces().all.has(place))
}

/** The places that are worth to be named; those inside the map are named from there. */
function likelyPlaces(name: string, here: string, own: readonly string[], foreign: readonly string[]): string[] {
  const within = [inside(own, here, name), inside(foreign, here)].find((places) => places.length > 0)
  if (within !== undefined)
    return closest(within, here).map((place) => (here === '' ? place : place.slice(here.length + 1)))
  const around = [...own, ...foreign].filter(
    (place) => `${here}.`.startsWith(`${parentOf(place)}.`) || !place.includes('.'),
  )
  if (around.length > 0) return closest(around, here)
  return vague.has(name) ? [] : closest(own.length > 0 ? own : foreign, here)
}

/** Those of the places that lie inside the map; of a name that says little, none. */
function inside(places: readonly string[], here: string, name?: string): readonly string[] {
  if (name !== undefined && (here === '' ? vague.has(name) : common.includes(name))) return []
  return here === '' ? places : places.filter((place) => place.startsWith(`${here}.`))
}

/** Those that share the most of their path with the map, and of these the shortest. */
function closest(places: readonly string[], here: string): string[] {
  const around = here.split('.')
  const shared = (place: string) => {
    const segments = place.split('.')
    const differs = segments.findIndex((segment, index) => segment !== around[index])
    return differs === -1 ? segments.length : differs
  }
  const most = Math.max(...places.map(shared))
  const near = places.filter((place) => shared(place) === most)
  const least = Math.min(...near.map((place) => place.split('.').length))
  return near.filter((place) => place.split('.').length === least)
}

function parentOf(place: string): string {
  return place.slice(0, Math.max(0, place.lastIndexOf('.')))
}

function lastOf(place: string): string {
  return place.slice(place.lastIndexOf('.') + 1)
}
