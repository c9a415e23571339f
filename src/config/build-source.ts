import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, type Scalar, type YAMLMap } from 'yaml'
import type { Fault, Path } from './fault.ts'
import { type BadReference, interpolate } from './interpolate.ts'
import { foreignWord, wordsOf } from './meant-word.ts'
import { printable, quote, quoteKey } from './quote.ts'
import { isSecret, schemaAt } from './schema.ts'
import type { SourceEntry, SourceNode, SourceScalar } from './source.ts'

export interface ParsedText {
  /** Undefined where the text is no YAML at all. */
  readonly root: SourceNode | undefined
  readonly faults: readonly Fault[]
}

/** Deepest nesting; the schema needs six. */
const maxDepth = 32

/** Turns what yaml composed into source nodes: replaces variables, resolves aliases, refuses duplicate keys. */
export function buildSource(contents: unknown, env: Readonly<NodeJS.ProcessEnv>): ParsedText {
  const builder = new SourceBuilder(env)
  return { root: builder.node(contents, [], 0), faults: builder.faults }
}

class SourceBuilder {
  readonly faults: Fault[] = []
  readonly #env: Readonly<NodeJS.ProcessEnv>
  /** Finished nodes by their anchor: an alias inside its own anchor finds nothing, so there are no cycles. */
  readonly #anchors = new Map<string, SourceNode>()

  constructor(env: Readonly<NodeJS.ProcessEnv>) {
    this.#env = env
  }

  /** The node at a path; `fallback` is the offset of one that yaml gives none, as for an empty value. */
  node(node: unknown, path: Path, fallback: number): SourceNode {
    const built = this.#build(node, path, fallback)
    const anchor = (isMap(node) || isSeq(node) || isScalar(node)) && node.anchor
    if (typeof anchor === 'string') this.#anchors.set(anchor, built)
    return built
  }

  #build(node: unknown, path: Path, fallback: number): SourceNode {
    if (isAlias(node)) return this.#anchors.get(node.source) ?? this.#unknownAlias(node, node.source, path)
    if (isScalar(node)) return this.#scalar(node, path)
    const offset = startOf(node as Node | null, fallback)
    if (!isMap(node) && !isSeq(node)) return { kind: 'scalar', offset, ...emptyScalar }
    if (path.length >= maxDepth) {
      return this.#broken(offset, path, 'values are nested too deeply', `at most ${maxDepth} levels are read`)
    }
    if (isMap(node)) return { kind: 'map', offset, entries: this.#entries(node, path) }
    return { kind: 'list', offset, items: node.items.map((item, index) => this.node(item, [...path, index], offset)) }
  }

  #scalar(node: Scalar, path: Path): SourceNode {
    const offset = startOf(node)
    const value = node.value
    if (typeof value === 'string') return this.#text(value, offset, path)
    if (value === null || value === undefined) return { kind: 'scalar', offset, ...emptyScalar }
    if (typeof value !== 'number' && typeof value !== 'boolean') {
      return this.#broken(offset, path, 'this value has a type that is not known', 'remove its tag')
    }
    return { kind: 'scalar', offset, value, written: node.source ?? String(value), replaced: false, broken: false }
  }

  #text(written: string, offset: number, path: Path): SourceNode {
    const plain: SourceScalar = { kind: 'scalar', offset, value: written, written, replaced: false, broken: false }
    if (!written.includes('$')) return plain
    const result = interpolate(written, this.#env)
    // A directive of another program, as `hash $remote_addr`: what its word means helps more than what the dollar means.
    if ('message' in result && result.quotesText && foreignWord(written, wordsOf(schemaAt(path)))) return plain
    if ('message' in result) return this.#misquoted(offset, path, result)
    return { ...plain, value: result.text, replaced: true }
  }

  /** A dollar that stands for nothing may be one of a password. */
  #misquoted(offset: number, path: Path, fault: BadReference): SourceNode {
    if (!fault.quotesText || !isSecret(path)) return this.#broken(offset, path, fault.message, fault.hint)
    const message = 'a "$" in this is not a reference to an environment variable'
    return this.#broken(offset, path, message, `write \${NAME} or \${NAME:-default}, or $$ for a dollar`)
  }

  #entries(map: YAMLMap, path: Path): Map<string, SourceEntry> {
    const entries = new Map<string, SourceEntry>()
    for (const pair of map.items) this.#entry(pair, entries, path)
    return entries
  }

  #entry(pair: Pair, entries: Map<string, SourceEntry>, path: Path): void {
    const keyOffset = startOf(pair.key as Node | null)
    if (!isScalar(pair.key) || typeof pair.key.value !== 'string') {
      this.#fault(keyOffset, path, 'a key is not a plain word', 'write it as text')
      return
    }
    const key = pair.key.value
    const inner = [...path, key]
    if (entries.has(key)) {
      const around = schemaAt(path)
      const named = around === undefined || around.secret ? 'a key' : `the key ${quoteKey(key)}`
      this.#fault(keyOffset, inner, `${named} stands here twice`, 'keep one of them')
      return
    }
    entries.set(key, { keyOffset, value: this.node(pair.value, inner, keyOffset) })
  }

  #unknownAlias(node: Node, name: string, path: Path): SourceNode {
    if (isSecret(path)) {
      const message = 'this alias names no anchor that is complete before it'
      return this.#broken(startOf(node), path, message, 'put text that starts with a "*" in quotes')
    }
    if (path[0] === 'listeners' && /^:\d{1,5}$/.test(name)) {
      const hint = `write "0.0.0.0${name}" for IPv4, "[::]${name}" for IPv6, or both in a list`
      return this.#broken(startOf(node), path, `"*${name}" names no host`, hint)
    }
    const message = `the alias ${quote(`*${name}`)} names no anchor that is complete before it`
    return this.#broken(
      startOf(node),
      path,
      message,
      `write &${printable(name.slice(0, 64))} before the value that it stands for`,
    )
  }

  #broken(offset: number, path: Path, message: string, hint: string): SourceNode {
    this.#fault(offset, path, message, hint)
    return { kind: 'scalar', offset, ...emptyScalar, broken: true }
  }

  #fault(on: number, path: Path, message: string, hint: string): void {
    this.faults.push({ path, on, message, hint })
  }
}

const emptyScalar = { value: null, written: '', replaced: false, broken: false } as const

function startOf(node: Node | null, fallback = 0): number {
  return node?.range?.[0] ?? fallback
}
