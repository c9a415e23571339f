import { maxFileBytes } from '../config/read-text.ts'
import { watchConfig } from '../config/watch.ts'
import { formatAddress } from '../model/address.ts'
import type { DiscoveryConfig, ServerConfig } from '../model/config.ts'
import { Collector, Room } from './collector.ts'
import { parseFields } from './member.ts'
import { parseMemberList } from './member-list.ts'
import { QuietFile } from './quiet-file.ts'
import type { Source, SourceContext, SourceRead } from './source.ts'
import { UnknownFields } from './unknown-fields.ts'

type FileConfig = Extract<DiscoveryConfig, { type: 'file' }>

/** How long the file must be quiet before it is looked at after a change. */
const debounceMs = 50
/** How long what may be half written must be quiet before it is believed, and how long that is waited for. */
const quietMs = 1_000
const quietTimeoutMs = 5_000

/** Members that stand in a file: a list in JSON or YAML of `IP:PORT`, or of objects with an `address` and options. */
export function fileSource(config: FileConfig, context: SourceContext): Source {
  const watch = watchConfig(config.path, { debounceMs, pollMs: Number.POSITIVE_INFINITY }, context.hint)
  const file = new QuietFile(config.path, { maxBytes: maxFileBytes, quietMs, timeoutMs: quietTimeoutMs })
  /** What the file held when it was last read: it is parsed anew only where it holds something else. */
  let text: string | undefined
  let list: Promise<readonly unknown[]> | undefined
  return {
    async read() {
      const now = await file.read()
      if (list === undefined || now !== text) list = parseMemberList(now)
      text = now
      return toMembers(await list, config.maxMembers, context)
    },
    describe: (error) => `Cannot take members from "${config.path}": ${reasonOf(error)}`,
    close() {
      file.close()
      return watch.close()
    },
  }
}

function toMembers(list: readonly unknown[], maxMembers: number, context: SourceContext): SourceRead {
  const collector = new Collector(context.filter)
  const room = new Room<ServerConfig>(maxMembers, context.isMember)
  const unknown = new UnknownFields()
  for (const entry of list) {
    unknown.note(entry)
    const server = collector.accept(parseFields(entry), entry)
    if (server !== undefined && room.put(formatAddress(server.address), server)) collector.refuse('duplicate', entry)
  }
  for (const [, server] of room.entries()) collector.add(server)
  collector.refuseTooMany(room.dropped)
  return { ...collector.result('the list is empty'), unknown: unknown.list() }
}

/** The first line: what follows is a picture of the place. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]?.slice(0, 200) ?? ''
}
