import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'

/** Makes a named pipe at `path` and opens it for reading. Nobody reads: it holds 64 KiB, and is then stuck. */
export function openStuckPipe(path: string): number {
  execFileSync('mkfifo', [path])
  return openPipeReader(path)
}

/** Another reader of the same pipe. */
export function openPipeReader(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
}

/** What the pipe holds now. */
export function drainPipe(reader: number): string {
  const chunk = Buffer.alloc(65_536)
  let text = ''
  try {
    for (let got = readSync(reader, chunk); got > 0; got = readSync(reader, chunk))
      text += chunk.toString('latin1', 0, got)
  } catch {
    // EAGAIN: a writer is there and has nothing to say.
  }
  return text
}

/** Writes until the pipe takes no more. */
export function fillPipe(path: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  try {
    while (true) writeSync(fd, Buffer.alloc(4096))
  } catch {
    closeSync(fd)
  }
}
