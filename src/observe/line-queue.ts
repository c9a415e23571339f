const NEWLINE = 10

/** Whole lines that wait to be written, oldest first. Its bound is its owner's business. */
export class LineQueue {
  #chunks: Buffer[] = []

  push(lines: Buffer): void {
    this.#chunks.push(lines)
  }

  /**
   * Takes the oldest chunks, joined behind `first` where there is one: as many as make `maxBytes`, and at least one.
   * Undefined when nothing waits.
   */
  take(maxBytes: number, first: Buffer | undefined): Buffer | undefined {
    let count = 0
    let bytes = 0
    for (const chunk of this.#chunks) {
      bytes += chunk.length
      if (count > 0 && bytes > maxBytes) break
      count++
    }
    if (count === 0) return undefined
    const parts = this.#chunks.splice(0, count)
    if (first !== undefined) parts.unshift(first)
    return parts.length === 1 ? parts[0] : Buffer.concat(parts)
  }
}

/** How many lines end in `bytes`. */
export function countLines(bytes: Buffer): number {
  let lines = 0
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) lines++
  return lines
}

/** Where the line that byte `cut` belongs to ends: `cut` itself when a line begins there, unless `insideLine`. */
export function endOfCutLine(bytes: Buffer, cut: number, insideLine: boolean): number {
  const whole = cut === 0 ? !insideLine : bytes[cut - 1] === NEWLINE
  return whole ? cut : bytes.indexOf(NEWLINE, cut) + 1
}
