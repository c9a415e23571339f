import { connect, type NetConnectOpts } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** Where `text` points, or null where it is no address. A host is not looked up here. */
export function parseTarget(text: string): NetConnectOpts | null {
  if (text.startsWith('unix:')) return text.length > 5 ? { path: text.slice(5) } : null
  const parts = /^(?:\[(?<v6>[0-9a-fA-F:.%\w]+)\]|(?<host>[^\s:[\]]+)):(?<port>\d{1,5})$/.exec(text)?.groups
  const host = parts?.v6 ?? parts?.host
  const port = Number(parts?.port)
  if (host === undefined || port < 1 || port > 65535) return null
  return { host, port }
}

/**
 * Sends `input` and writes to `output` what arrives, until the peer ends the connection. Where `input` ends only the
 * sending side is closed. Rejects with the system's error where the connection fails.
 */
export async function runClient(target: NetConnectOpts, input: Readable, output: Writable): Promise<void> {
  const socket = connect({ ...target, allowHalfOpen: true })
  const received = pipeline(socket, output, { end: false })
  input.on('end', () => socket.end())
  input.pipe(socket, { end: false })
  try {
    await received
  } finally {
    // Its end also ends the reading of `input`, which would keep the process.
    socket.destroy()
  }
}
