/** A prime, so that no power of two of lost or doubled bytes goes unseen. */
const PERIOD = 65_521

/** Random bytes that every stream repeats, each from a place of its own. */
const period = fillPeriod()
/** Twice, so that any slice up to a period lies in one piece. */
const twice = Buffer.concat([period, period])

/** The bytes of one direction of one stream. */
export class PatternSource {
  #at: number

  constructor(seed: number) {
    this.#at = seed % PERIOD
  }

  /** The next bytes, at most 65,521. Not to be written to. */
  next(bytes: number): Buffer {
    const slice = twice.subarray(this.#at, this.#at + bytes)
    this.#at = (this.#at + bytes) % PERIOD
    return slice
  }
}

/** Compares what arrives with what was sent. */
export class PatternCheck {
  bytes = 0
  isIntact = true
  readonly #source: PatternSource

  constructor(seed: number) {
    this.#source = new PatternSource(seed)
  }

  take(chunk: Buffer): void {
    this.bytes += chunk.length
    for (let at = 0; at < chunk.length; at += PERIOD) {
      const piece = chunk.subarray(at, at + PERIOD)
      if (!this.#source.next(piece.length).equals(piece)) this.isIntact = false
    }
  }
}

function fillPeriod(): Buffer {
  const bytes = Buffer.alloc(PERIOD)
  let state = 0x2545f491
  for (let i = 0; i < PERIOD; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[i] = state
  }
  return bytes
}
