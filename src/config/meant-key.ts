import type { Path } from './fault.ts'
import { foreignKeys, plainName } from './foreign-name.ts'
import { join, keyPlaces, templateOf } from './key-places.ts'
import { nearest } from './nearest.ts'
import { schemaAt } from './schema.ts'
import type { SourceNode } from './source.ts'
import { keyWithoutBlank } from './yaml-fault.ts'

/** Words that say so little, or are hoped for in so many places, that the same key elsewhere is hardly meant. */
const common: ReadonlySet<string> = new Set(['name', 'type', 'path', 'key', 'by', 'url', 'port', 'address', 'tls'])
const maxPlaces = 3

/** What was probably meant by an unknown key. */
export interface MeantKey {
  /** The key of the same map that was meant, if it is one. */
  readonly key: string | undefined
  readonly hint: string
}

/** Looks for an unknown key in the map at `path`, then under the names of other programs, then elsewhere in the file. */
export function meantKey(key: string, path: Path, value: SourceNode | undefined): MeantKey {
  const keys = Object.keys(schemaAt(path)?.properties ?? {})
  const before = keyWithoutBlank(key)
  if (before !== undefined && keys.includes(before)) return { key: before, hint: `put a blank after ${before}:` }
  const likely = nearest(key, keys)
  if (likely !== undefined) return didYouMean(likely)
  const here = templateOf(path)
  const places = placesOf(key, value)
  const beside = places.find((place) => place === join(here, place.split('.').at(-1) ?? ''))
  if (beside !== undefined) return didYouMean(beside.split('.').at(-1) ?? '')
  const inside = here === '' ? [] : places.filter((place) => place.startsWith(`${here}.`))
  const shown = shallowest(inside.length > 0 ? inside.map((place) => place.slice(here.length + 1)) : places)
  if (shown.length > 0 && shown.length <= maxPlaces) return { key: undefined, hint: `it is ${shown.join(' or ')}` }
  return { key: undefined, hint: `the keys here are ${keys.join(', ')}` }
}

function didYouMean(key: string): MeantKey {
  return { key, hint: `did you mean ${key}?` }
}

/** Where a key of this name stands whose value is of this kind; else where the key stands that others call so. */
function placesOf(key: string, value: SourceNode | undefined): readonly string[] {
  const plain = plainName(key)
  const known = keyPlaces()
  const foreign = (foreignKeys.get(plain) ?? []).filter((place) => known.all.has(place))
  const isMap = value?.kind === 'map'
  const named = common.has(plain) ? [] : (known.byName.get(plain) ?? [])
  const own = named.filter((place) => known.all.get(place) === isMap)
  return own.length > 0 ? own : foreign
}

function shallowest(places: readonly string[]): string[] {
  const depth = (place: string) => place.split('.').length
  const least = Math.min(...places.map(depth))
  return places.filter((place) => depth(place) === least)
}
