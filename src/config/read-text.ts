import { isUtf8 } from 'node:buffer'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { ConfigError, McsError } from '../model/errors.ts'
import { quote } from './quote.ts'
import { LinePositions } from './source.ts'

/** Largest file that is read. It holds some 20,000 servers. */
export const maxFileBytes = 1024 * 1024

/**
 * Reads a configuration file as text.
 *
 * Throws MCS_CONFIG_UNREADABLE where there is no file to read, and ConfigError where what it holds is no text.
 */
export async function readConfigText(file: string): Promise<string> {
  let handle: FileHandle | undefined
  try {
    // Non-blocking, as opening a named pipe would otherwise wait for its writer.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = await handle.stat()
    if (!stat.isFile()) throw unreadable(file, stat.isDirectory() ? 'it is a directory' : 'it is not a regular file')
    return decode(file, await readBounded(handle))
  } catch (error) {
    throw error instanceof McsError ? error : unreadable(file, reasonOf(error), error)
  } finally {
    await handle?.close()
  }
}

/** Reads one byte more than is allowed at most: files under /proc have no size, and others may grow. */
async function readBounded(handle: FileHandle): Promise<Buffer> {
  const buffer = Buffer.alloc(maxFileBytes + 1)
  let length = 0
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return buffer.subarray(0, length)
}

function decode(file: string, bytes: Buffer): string {
  if (bytes.length > maxFileBytes) {
    throw refused(file, '', 'the file is larger than 1 MiB', 'split it over several processes')
  }
  const text = new TextDecoder().decode(bytes)
  if (isUtf8(bytes)) return text
  throw refused(file, text.slice(0, invalidAt(bytes, text)), 'this is not UTF-8 text', 'save the file as UTF-8')
}

/** Index of the first replacement character that the bytes do not spell themselves. */
function invalidAt(bytes: Buffer, text: string): number {
  let byteOffset = bytes.length >= 3 && bytes.readUIntBE(0, 3) === 0xefbbbf ? 3 : 0
  let from = 0
  for (;;) {
    const at = text.indexOf('\ufffd', from)
    if (at === -1) return text.length
    byteOffset += Buffer.byteLength(text.slice(from, at))
    if (bytes.readUIntBE(byteOffset, Math.min(3, bytes.length - byteOffset)) !== 0xefbfbd) return at
    byteOffset += 3
    from = at + 1
  }
}

function refused(file: string, before: string, message: string, hint: string): ConfigError {
  const { line, column } = new LinePositions(before).at(before.length)
  return new ConfigError([{ file, line, column, path: '', message, hint }])
}

function unreadable(file: string, reason: string, cause?: unknown): McsError {
  const hint = 'name a readable file with --config'
  return new McsError(
    'MCS_CONFIG_UNREADABLE',
    `Cannot read the configuration file ${quote(file)}: ${reason}; ${hint}`,
    {
      source: 'config',
      cause,
    },
  )
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    ENOTDIR: 'a part of its path is not a directory',
    EACCES: 'permission denied',
    ELOOP: 'its symbolic links go round in a loop',
  }
  return known[code] ?? (error instanceof Error ? error.message : String(error))
}
