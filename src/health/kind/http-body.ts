import type { Channel } from '../channel.ts'
import { quoteBytes, StepFailure } from '../reason.ts'

/** Bytes of a body that are looked at. */
const BODY_BYTES = 64 * 1024
/** Longest line that begins a chunk, extensions included. */
const CHUNK_LINE_BYTES = 256

/** How the end of a body is known. */
export type BodyFraming =
  | { readonly type: 'length'; readonly bytes: number }
  | { readonly type: 'chunked' }
  | { readonly type: 'until-close' }

/** Reads a body until `wanted` has come, or its end, or 64 KiB. Returns whether it came. */
export async function readBody(channel: Channel, framing: BodyFraming, wanted: Buffer): Promise<boolean> {
  const search = new BodySearch(wanted)
  if (framing.type === 'chunked') await readChunks(channel, search)
  else await readPart(channel, framing.type === 'length' ? framing.bytes : Number.POSITIVE_INFINITY, search, true)
  return search.isFound
}

/** Looks for a text in bytes that come in pieces. Each byte is looked at about once, however small the pieces. */
class BodySearch {
  isFound = false
  readonly #wanted: Buffer
  readonly #body = Buffer.alloc(BODY_BYTES)
  #length = 0

  constructor(wanted: Buffer) {
    this.#wanted = wanted
  }

  /** Whether nothing more has to be read. */
  get isOver(): boolean {
    return this.isFound || this.#length === BODY_BYTES
  }

  add(piece: Buffer): void {
    const from = Math.max(0, this.#length - this.#wanted.length + 1)
    this.#length += piece.copy(this.#body, this.#length)
    this.isFound ||= this.#body.subarray(from, this.#length).includes(this.#wanted)
  }
}

async function readChunks(channel: Channel, search: BodySearch): Promise<void> {
  for (;;) {
    const line = await channel.takeLine(CHUNK_LINE_BYTES)
    const size = /^([0-9a-f]{1,8})[ \t]*(?:;|$)/i.exec(line.toString('latin1'))?.[1]
    if (size === undefined) throw new StepFailure('body', `expected the size of a chunk, got ${quoteBytes(line)}`)
    const bytes = Number.parseInt(size, 16)
    if (bytes === 0) return
    await readPart(channel, bytes, search, false)
    if (search.isOver) return
    await channel.takeLine(0, 'a chunk that is longer than it says')
  }
}

/** Reads `bytes` of the body, or to the end of the connection where that may be its end. */
async function readPart(channel: Channel, bytes: number, search: BodySearch, mayEnd: boolean): Promise<void> {
  let leftBytes = bytes
  while (leftBytes > 0 && !search.isOver) {
    if (channel.received.length === 0 && !(await channel.more())) {
      if (mayEnd) return
      throw new StepFailure('body', 'closed within a chunk')
    }
    const piece = channel.skip(Math.min(leftBytes, channel.received.length))
    leftBytes -= piece.length
    search.add(piece)
  }
}
