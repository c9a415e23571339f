import { constants } from 'node:fs'
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises'
import { McsError } from '../model/errors.ts'
import type { Logger } from '../observe/logger.ts'
import { type StickyRecord, toStickyRecord } from './sticky-record.ts'
import { MAX_STORED_RECORDS, type StickyStore } from './sticky-store.ts'

const READ_BYTES = 65_536
const MAX_LINE_BYTES = 4096
/** Lines that are no records, after which the rest is not worth reading. */
const MAX_DAMAGED_LINES = 10_000
const NEWLINE = 0x0a
/** How a file of sticky entries begins, of whatever version. One that begins otherwise is left as it is. */
const MARK = '{"mcs-lb":"sticky",'
/** The first line. */
const HEADER = `${MARK}"version":1}`

/**
 * Keeps sticky entries in a file of JSON lines, mode 0600:
 *
 * ```
 * {"mcs-lb":"sticky","version":1}
 * ["chat","192.0.2.1","10.0.0.1:9100",1767225600000]
 *    │        └ client      └ backend     └ when it is over, ms since 1970
 *    └ upstream
 * ```
 *
 * Each save writes a new file beside it and renames that: whoever reads, after whatever end, meets a whole one. Neither
 * takes the place of a file that holds anything else: then all of it fails, until that is moved away.
 */
export function createStickyFile(path: string, log: Logger): StickyStore {
  return {
    takes: 'all',
    load: () => load(path, log),
    save: (batches) => save(path, batches),
  }
}

async function* load(path: string, log: Logger): AsyncIterable<readonly StickyRecord[]> {
  const file = await openForReading(path).catch((error: unknown) => {
    throw failed('read', path, error)
  })
  if (file === undefined) return
  let [isBegun, count, damaged] = [false, 0, 0]
  try {
    for await (const lines of readLines(file)) {
      if (!isBegun) {
        isBegun = true
        const first = lines.shift()!
        if (!first.startsWith(MARK)) throw foreign('it')
        if (first !== HEADER) {
          log.warn('Ignored a file of sticky entries: it is of another version', { path })
          return
        }
      }
      const records = lines.map(parseLine).filter((record) => record !== undefined)
      count += lines.length
      damaged += lines.length - records.length
      yield records
      if (count > MAX_STORED_RECORDS || damaged > MAX_DAMAGED_LINES) break
    }
  } catch (error) {
    throw failed('read', path, error)
  } finally {
    await file.close()
  }
  if (damaged > 0) log.warn('Left out damaged lines of a file of sticky entries', { path, lines: damaged })
}

/** Undefined where there is none. A pipe in its place does not hold up the start, and is refused. */
async function openForReading(path: string): Promise<FileHandle | undefined> {
  let file: FileHandle | undefined
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    if (!(await file.stat()).isFile()) throw new Error('it is no regular file')
    return file
  } catch (error) {
    await file?.close()
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Whole lines, as many as come with one read. A line that is too long comes as an empty one. */
async function* readLines(file: FileHandle): AsyncIterable<string[]> {
  const buffer = Buffer.alloc(READ_BYTES + MAX_LINE_BYTES)
  let [kept, isSkipping] = [0, false]
  for (;;) {
    const { bytesRead } = await file.read(buffer, kept, READ_BYTES, null)
    const end = kept + bytesRead
    const lines: string[] = []
    let start = 0
    for (let at = buffer.indexOf(NEWLINE); at >= 0 && at < end; at = buffer.indexOf(NEWLINE, start)) {
      lines.push(isSkipping || at - start > MAX_LINE_BYTES ? '' : buffer.toString('utf8', start, at))
      isSkipping = false
      start = at + 1
    }
    kept = end - start
    if (bytesRead === 0 || kept > MAX_LINE_BYTES) {
      // A last line without its end was cut off: it counts as damaged.
      if (bytesRead === 0 && (kept > 0 || isSkipping)) lines.push('')
      isSkipping = true
      kept = 0
    } else buffer.copyWithin(0, start, end)
    if (lines.length > 0) yield lines
    if (bytesRead === 0) return
  }
}

function parseLine(line: string): StickyRecord | undefined {
  // Most of what is no record is told without an exception, which would take longer.
  if (!line.startsWith('["')) return undefined
  try {
    const value: unknown = JSON.parse(line)
    return Array.isArray(value) && value.length === 4
      ? toStickyRecord(value[0], value[1], value[2], value[3])
      : undefined
  } catch {
    return undefined
  }
}

async function save(path: string, batches: AsyncIterable<readonly StickyRecord[]>): Promise<void> {
  const next = `${path}.new`
  try {
    await removeLeft(next)
    // Exclusive, so that no link put in its place is followed.
    const file = await open(next, 'wx', 0o600)
    try {
      await write(file, batches)
      await refuseForeign(path, 'it')
      await rename(next, path)
    } catch (error) {
      await rm(next, { force: true }).catch(() => {})
      throw error
    }
  } catch (error) {
    throw failed('write', path, error)
  }
}

async function write(file: FileHandle, batches: AsyncIterable<readonly StickyRecord[]>): Promise<void> {
  try {
    await file.writeFile(`${HEADER}\n`)
    for await (const records of batches) {
      if (records.length > 0) await file.writeFile(`${records.map(formatLine).join('\n')}\n`)
    }
    // Else, after a power failure, some filesystems show the new name with nothing in it.
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Removes what a killed process left. Of a link, the link alone goes. */
async function removeLeft(next: string): Promise<void> {
  const isLink = await lstat(next).then(
    (stat) => stat.isSymbolicLink(),
    () => false,
  )
  if (!isLink) await refuseForeign(next, `"${next}"`)
  await rm(next, { force: true })
}

/** Throws where there is a file that holds anything but sticky entries; an empty one has nothing to lose. */
async function refuseForeign(path: string, what: string): Promise<void> {
  const file = await openForReading(path)
  if (file === undefined) return
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MARK.length), 0, MARK.length, 0)
    if (bytesRead > 0 && buffer.toString('latin1', 0, bytesRead) !== MARK) throw foreign(what)
  } finally {
    await file.close()
  }
}

function foreign(what: string): Error {
  return new Error(`${what} is no file of sticky entries, and stays as it is`)
}

function formatLine({ upstream, client, backend, expiresAtMs }: StickyRecord): string {
  return JSON.stringify([upstream, client, backend, expiresAtMs])
}

function failed(action: 'read' | 'write', path: string, cause: unknown): McsError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new McsError(
    'MCS_SYSTEM',
    `Cannot ${action} the sticky entries in "${path}": ${reason}; check the path, or set sticky.persist to another`,
    { source: 'system', retryable: true, cause },
  )
}
