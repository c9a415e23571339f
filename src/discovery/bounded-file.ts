import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

/**
 * Text of a regular file of at most `maxBytes`. Synchronous: it is for small files of the machine itself. Throws what
 * `fs` throws, and for other kinds of files and larger ones.
 *
 * @param flags Added to O_RDONLY and O_NONBLOCK, which keeps the opening of a named pipe from waiting.
 */
export function readBoundedFile(path: string, maxBytes: number, flags = 0): string {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | flags)
  try {
    if (!fstatSync(descriptor).isFile()) throw new Error('it is not a regular file')
    // One byte more tells a file that is too large, also one that grew meanwhile.
    const buffer = Buffer.alloc(Math.min(fstatSync(descriptor).size, maxBytes) + 1)
    let length = 0
    for (;;) {
      const count = readSync(descriptor, buffer, length, buffer.length - length, null)
      length += count
      if (count === 0 || length === buffer.length) break
    }
    if (length > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`)
    if (length === buffer.length) throw new Error('it was written to while it was read')
    return buffer.toString('utf8', 0, length)
  } finally {
    closeSync(descriptor)
  }
}
