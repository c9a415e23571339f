import type { StickyNames, StickyUpstream } from '#src/control/sticky-persistence.js'
import type { StickyRecord } from '#src/control/sticky-record.js'
import type { Logger } from '#src/observe/logger.js'

/** A log that a test reads. */
export function recordingLog(): { log: Logger; messages: string[] } {
  const messages: string[] = []
  const write = (message: string, fields?: object) => {
    messages.push(`${message} ${fields === undefined ? '' : JSON.stringify(fields, plain)}`)
  }
  return { log: { debug: write, info: write, warn: write, error: write }, messages }
}

/** Every record of several batches. */
export async function collect(batches: AsyncIterable<readonly StickyRecord[]>): Promise<StickyRecord[]> {
  const records: StickyRecord[] = []
  for await (const batch of batches) records.push(...batch)
  return records
}

export async function* batchesOf(...batches: readonly StickyRecord[][]): AsyncIterable<readonly StickyRecord[]> {
  yield* batches
}

export function record(client: string, backend = '10.0.0.1:9100', expiresAtMs = Date.now() + 60_000): StickyRecord {
  return { upstream: 'chat', client, backend, expiresAtMs }
}

export const chat: StickyUpstream = { name: 'chat', row: 3, ttlMs: 60_000, sourcePrefix: { ipv4: 32, ipv6: 64 } }

/** Names over one upstream and backends that a test may change: name → row, and incarnation, which no two share. */
export function namesOver(backends: Map<string, { row: number; incarnation: number }>): StickyNames {
  const former = new Map([...backends].map(([name, { incarnation }]) => [incarnation, name]))
  return {
    upstreamAt: (row) => (row === chat.row ? chat : undefined),
    upstreamNamed: (name) => (name === chat.name ? chat : undefined),
    backendNameOf: (incarnation) =>
      [...backends].find(([, backend]) => backend.incarnation === incarnation)?.[0] ?? former.get(incarnation),
    backendNamed: (_, name) => backends.get(name),
  }
}

function plain(_: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value
}
