/**
 * The document as it stands in the text: what yaml read, with variables replaced, every value knowing its offset.
 * An alias shares the node of its anchor, so this is a graph without cycles and no larger than the text.
 */
export type SourceNode = SourceScalar | SourceList | SourceMap

export interface SourceScalar {
  readonly kind: 'scalar'
  readonly offset: number
  readonly value: string | number | boolean | null
  /** As the text has it, before variables were replaced. */
  readonly written: string
  /** Whether a variable was replaced in it; the schema then says what type it is. */
  readonly replaced: boolean
  /** Whether a fault was reported for it, so that no other should be. */
  readonly broken: boolean
}

export interface SourceList {
  readonly kind: 'list'
  readonly offset: number
  readonly items: readonly SourceNode[]
}

export interface SourceMap {
  readonly kind: 'map'
  readonly offset: number
  readonly entries: ReadonlyMap<string, SourceEntry>
}

export interface SourceEntry {
  readonly keyOffset: number
  readonly value: SourceNode
}

/** The node at a path, or undefined where the text has none. */
export function nodeAt(root: SourceNode | undefined, path: readonly (string | number)[]): SourceNode | undefined {
  let node = root
  for (const segment of path) {
    if (node === undefined) return undefined
    node = child(node, segment)?.value
  }
  return node
}

/** The offset of the key or the value at a path; where it ends early, of the last that is there. */
export function offsetOf(
  root: SourceNode | undefined,
  path: readonly (string | number)[],
  on: 'key' | 'value',
): number {
  let node = root
  let [keyOffset, valueOffset] = [0, root?.offset ?? 0]
  for (const segment of path) {
    const entry: SourceEntry | undefined = node === undefined ? undefined : child(node, segment)
    if (entry === undefined) return keyOffset
    keyOffset = entry.keyOffset
    valueOffset = entry.value.offset
    node = entry.value
  }
  return on === 'key' ? keyOffset : valueOffset
}

function child(node: SourceNode, segment: string | number): SourceEntry | undefined {
  if (node.kind === 'map') return node.entries.get(String(segment))
  if (node.kind !== 'list' || typeof segment !== 'number') return undefined
  const item = node.items[segment]
  return item === undefined ? undefined : { keyOffset: item.offset, value: item }
}

/** Turns offsets in a text into lines and columns, both counted from 1. */
export class LinePositions {
  readonly #length: number
  readonly #starts: number[] = [0]

  constructor(text: string) {
    this.#length = text.length
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.#starts.push(at + 1)
  }

  /** The place of an offset; one outside the text becomes its nearest end. */
  at(offset: number): { line: number; column: number } {
    const inside = Math.min(Math.max(offset, 0), this.#length)
    let [low, high] = [0, this.#starts.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.#starts[middle] ?? 0) <= inside) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: inside - (this.#starts[low] ?? 0) + 1 }
  }
}
