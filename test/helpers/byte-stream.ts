import { type Cipher, createCipheriv } from 'node:crypto'

/** An endless stream of bytes, the same for the same seed, in which no two places look alike. */
export class ByteStream {
  readonly #cipher: Cipher

  constructor(seed: number) {
    const key = Buffer.alloc(16)
    key.writeUInt32LE(seed >>> 0)
    this.#cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  }

  /** The next `bytes` of it. */
  take(bytes: number): Buffer {
    return this.#cipher.update(Buffer.alloc(bytes))
  }
}

/** Holds bytes that arrive against the stream that was sent: loss, duplication and disorder all show. */
export class ByteStreamCheck {
  readonly #expected: ByteStream
  /** Bytes that have arrived. */
  bytes = 0
  /** Position of the chunk that first differed. */
  wrongAt: number | undefined

  constructor(seed: number) {
    this.#expected = new ByteStream(seed)
  }

  add(chunk: Buffer): void {
    if (!this.#expected.take(chunk.length).equals(chunk)) this.wrongAt ??= this.bytes
    this.bytes += chunk.length
  }
}
