import type { Fault, Path } from './fault.ts'
import { warnCheckPort, warnOnlyBackups, warnSingleOutlier, warnStickyHash, warnTakenOut } from './warn-backends.ts'
import { warnHeartbeats, warnPrefix, warnServiceName } from './warn-discovery.ts'
import { warnDrain, warnHoldBack, warnOnUnhealthy, warnPanicThreshold, warnSourcePrefix } from './warn-effect.ts'
import { type Base, warnMissingFiles } from './warn-files.ts'
import { warnFastInterval, warnIdle } from './warn-times.ts'
import type { WrittenDocument, WrittenListener, WrittenUpstream } from './written.ts'

/**
 * What is legal and surely a mistake. A rule looks at one part of the file, gives the place from that part on, and
 * speaks of nothing but what was written. Each stands in docs/configuration.md.
 */
const upstreamRules: readonly Rule<WrittenUpstream>[] = [
  warnTakenOut,
  warnOnlyBackups,
  warnStickyHash,
  warnCheckPort,
  warnSingleOutlier,
  warnPanicThreshold,
  warnOnUnhealthy,
  warnDrain,
  warnSourcePrefix,
  warnHoldBack,
  warnHeartbeats,
  warnServiceName,
  warnPrefix,
  warnFastInterval,
]

const listenerRules: readonly Rule<WrittenListener>[] = [warnIdle]

type Rule<Part> = (part: Part) => Fault | undefined

/** The warnings of a valid document, in no order. */
export function warningsOf(document: WrittenDocument, base: Base): Fault[] {
  const { listeners, upstreams } = document
  return [
    ...applyRules(upstreamRules, upstreams, ['upstreams']),
    ...applyRules(listenerRules, listeners, ['listeners']),
    ...warnUnused(document),
    ...warnMissingFiles(document, base),
  ]
}

function applyRules<Part>(rules: readonly Rule<Part>[], parts: Readonly<Record<string, Part>>, path: Path): Fault[] {
  return Object.entries(parts).flatMap(([name, part]) =>
    rules.flatMap((rule) => {
      const found = rule(part)
      return found === undefined ? [] : [{ ...found, path: [...path, name, ...found.path] }]
    }),
  )
}

function warnUnused({ listeners, upstreams }: WrittenDocument): Fault[] {
  const used = new Set(Object.values(listeners).map(({ upstream }) => upstream))
  const message = 'no listener names this upstream: no client comes to it'
  const hint = 'name it at a listener, or remove it'
  return Object.keys(upstreams)
    .filter((name) => !used.has(name))
    .map((name) => ({ path: ['upstreams', name], on: 'key', message, hint }))
}
