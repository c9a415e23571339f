import type { AccessFormatter } from '#src/observe/access-log.js'
import { LineBuffer } from '#src/observe/line-buffer.js'
import { ACCESS_RECORD_BYTES, type AccessRecord, AccessField as Field } from '#src/shared/access-record.js'

/** A connection that went well, changed by `changes`. */
export function makeAccessRecord(changes: Partial<AccessRecord> = {}): AccessRecord {
  return {
    acceptedAt: Date.UTC(2009, 1, 6, 12, 12, 51, 443),
    connectMs: 1.23456,
    totalMs: 5007,
    bytesUp: 17,
    bytesDown: 212,
    generation: 3,
    listenerRow: 0,
    upstreamRow: 0,
    backend: 0,
    cause: 0,
    errno: 0,
    worker: 1,
    attemptCount: 1,
    attempts: [{ backend: 0, errno: 0 }],
    clientFamily: 2,
    clientPort: 33313,
    clientAddress: Uint8Array.of(10, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    ...changes,
  }
}

/** The record's bytes, as a worker writes them. */
export function encodeAccessRecord(record: AccessRecord): DataView {
  const view = new DataView(new ArrayBuffer(ACCESS_RECORD_BYTES))
  for (const key of ['acceptedAt', 'connectMs', 'totalMs', 'bytesUp', 'bytesDown'] as const) {
    view.setFloat64(Field[key], record[key], true)
  }
  for (const key of ['generation', 'listenerRow', 'upstreamRow', 'cause', 'errno', 'worker', 'attemptCount'] as const) {
    view.setUint32(Field[key], record[key], true)
  }
  view.setInt32(Field.backend, record.backend, true)
  for (const [i, { backend, errno }] of record.attempts.entries()) {
    view.setUint32(Field.attempts + 8 * i, backend, true)
    view.setUint32(Field.attempts + 8 * i + 4, errno, true)
  }
  view.setUint16(Field.clientFamily, record.clientFamily, true)
  view.setUint16(Field.clientPort, record.clientPort, true)
  for (const [i, byte] of record.clientAddress.entries()) view.setUint8(Field.clientAddress + i, byte)
  return view
}

/** The record's line in an access log. */
export function formatRecord(format: AccessFormatter, record: AccessRecord): string {
  const out = new LineBuffer()
  format(record, out)
  return out.take().toString()
}
