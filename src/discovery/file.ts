import { parse } from 'yaml'
import { maxFileBytes } from '../config/read-text.ts'
import { watchConfig } from '../config/watch.ts'
import { formatAddress } from '../model/address.ts'
import type { DiscoveryConfig, ServerConfig } from '../model/config.ts'
import { readBoundedFile } from './bounded-file.ts'
import { Collector, Room } from './collector.ts'
import { parseFields } from './member.ts'
import type { Source, SourceContext, SourceRead } from './source.ts'

type FileConfig = Extract<DiscoveryConfig, { type: 'file' }>

/** How long the file must be quiet after a change. */
const debounceMs = 50

/** Members that stand in a file: a list in JSON or YAML of `IP:PORT`, or of objects with an `address` and options. */
export function fileSource(config: FileConfig, context: SourceContext): Source {
  const watch = watchConfig(config.path, { debounceMs, pollMs: Number.POSITIVE_INFINITY }, context.hint)
  return {
    read: async () => parseList(await readBoundedFile(config.path, maxFileBytes), config.maxMembers, context),
    describe: (error) => `Cannot take members from "${config.path}": ${reasonOf(error)}`,
    close: () => watch.close(),
  }
}

function parseList(text: string, maxMembers: number, context: SourceContext): SourceRead {
  const list = parseText(text)
  if (!Array.isArray(list)) throw new Error('it is no list; write "- 10.0.0.1:9100" for each member')
  const collector = new Collector(context.filter)
  const room = new Room<ServerConfig>(maxMembers, context.isMember)
  for (const entry of list) {
    const server = collector.accept(parseFields(entry))
    if (server !== undefined && room.put(formatAddress(server.address), server)) collector.refuse('duplicate')
  }
  for (const [, server] of room.entries()) collector.add(server)
  collector.refuse('too-many', room.dropped)
  return collector.result()
}

/** JSON by itself: it is most of what programs write, and the YAML reader is slower by far. */
function parseText(text: string): unknown {
  if (/^\s*[[{]/.test(text)) {
    try {
      return JSON.parse(text)
    } catch {
      // YAML's own flow form begins in the same way.
    }
  }
  return parse(text, { maxAliasCount: 0, logLevel: 'error', prettyErrors: true })
}

/** The first line: what follows is a picture of the place. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]?.slice(0, 200) ?? ''
}
