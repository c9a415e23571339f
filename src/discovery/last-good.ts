import { constants } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ServerConfig } from '../model/config.ts'
import { readBoundedFile } from './bounded-file.ts'
import { parseFields, toFields } from './member.ts'
import type { MemberFilter } from './member-filter.ts'

/** Holds the 65,536 members that there may be at most, each with all of its options. */
const maxBytes = 16 * 1024 * 1024
const version = 1

/** The last good members of an upstream, kept on disk for the next start. */
export interface LastGood {
  /** What an earlier process left, validated like any other source; empty where it left nothing that can be used. */
  readonly restored: readonly ServerConfig[]
  /** Whether that was read from the same source. */
  readonly isSameSource: boolean
  /** Writes a list soon; of several in a row the last is written. */
  save(members: readonly ServerConfig[]): void
  /** Resolves when what was saved is on disk, or failed. */
  flush(): Promise<void>
}

export interface LastGoodOptions {
  /** `none` keeps nothing. */
  readonly directory: string
  readonly upstream: string
  /** Where the members are read from, as {@link sourceOf} gives it. */
  readonly source: string
  readonly filter: MemberFilter
  /** Told once when the file cannot be read or written, and again after it could. */
  readonly onFailure: (action: 'read' | 'write', path: string, error: unknown) => void
}

type Restored = Pick<LastGood, 'restored' | 'isSameSource'>

const nothing: Restored = { restored: [], isSameSource: false }

/** Reads the file within this call. */
export function openLastGood(options: LastGoodOptions): LastGood {
  if (options.directory === 'none') return { ...nothing, save: () => {}, flush: async () => {} }
  const path = join(options.directory, `members-${options.upstream}.json`)
  let next: readonly ServerConfig[] | undefined
  let writing: Promise<void> | undefined
  let failed = false

  async function writeAll(): Promise<void> {
    while (next !== undefined) {
      const members = next
      next = undefined
      try {
        await inTurn(path, () => replaceFile(options.directory, path, textOf(options, members)))
        failed = false
      } catch (error) {
        // A full disk costs the next start its members, and nothing else.
        if (!failed) options.onFailure('write', path, error)
        failed = true
      }
    }
    writing = undefined
  }

  return {
    ...restore(path, options),
    save(members) {
      next = members
      writing ??= writeAll()
    },
    flush: async () => writing,
  }
}

function restore(path: string, { upstream, source, filter, onFailure }: LastGoodOptions): Restored {
  try {
    const document: unknown = JSON.parse(readBoundedFile(path, maxBytes, constants.O_NOFOLLOW))
    const { version: read, upstream: name, source: from, members } = (document ?? {}) as Record<string, unknown>
    if (read !== version || name !== upstream || !Array.isArray(members)) throw new Error('it holds something else')
    const restored = members.flatMap((entry) => {
      const parsed = parseFields(entry)
      return 'server' in parsed && filter.refusalOf(parsed.server.address) === undefined ? [parsed.server] : []
    })
    return { restored, isSameSource: from === source }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) onFailure('read', path, error)
    return nothing
  }
}

function textOf({ upstream, source }: LastGoodOptions, members: readonly ServerConfig[]): string {
  return `${JSON.stringify({ version, upstream, source, members: members.map(toFields) })}\n`
}

/** Writes under way, by path: a reload may have a new discovery write while its predecessor still does. */
const turns = new Map<string, Promise<unknown>>()

async function inTurn(path: string, write: () => Promise<void>): Promise<void> {
  const before = turns.get(path) ?? Promise.resolve()
  const turn = before.catch(() => {}).then(write)
  turns.set(path, turn)
  try {
    await turn
  } finally {
    if (turns.get(path) === turn) turns.delete(path)
  }
}

/** By rename, so that a reader finds the old list or the new one. */
async function replaceFile(directory: string, path: string, text: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}.new`
  await rm(temporary, { force: true })
  try {
    // Exclusive: nothing that others put there is followed or written to.
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
}
