/**
 * The record of an ended connection, as a worker writes it into its ring ({@link file://./record-ring.ts}) and the
 * main thread reads it. All words are little-endian on every platform that this program runs on.
 *
 * ```
 *  byte  0  acceptedAt       f64   wall clock, ms since 1970
 *        8  connectMs        f64   from accept to the backend's connection; NaN when there was none
 *       16  totalMs          f64   from accept to the end
 *       24  bytesUp          f64   client → backend, as delivered to the backend
 *       32  bytesDown        f64   backend → client, as delivered to the client
 *       40  generation       u32
 *       44  listenerRow      u32
 *       48  upstreamRow      u32
 *       52  backend          i32   its id; -1 when there was none
 *       56  cause            u32   code of model/cause.ts
 *       60  errno            u32   of the system call that ended it; 0 when none did
 *       64  worker           u32
 *       68  attemptCount     u32   how many backends were tried; the first MAX_RECORDED_ATTEMPTS are listed
 *       72  attempts         4 × (backend's id u32, errno u32)   errno 0: connected
 *      104  clientFamily     u16   AF_INET, AF_INET6 or AF_UNIX
 *      106  clientPort       u16
 *      108  clientAddress    16 bytes, network order; the first 4 for IPv4
 *      124  (unused)
 *      128
 * ```
 */
export const ACCESS_RECORD_BYTES = 128

/** Attempts past this are counted, but not listed. */
export const MAX_RECORDED_ATTEMPTS = 4

/** Byte offsets of the fields above. */
export const AccessField = {
  acceptedAt: 0,
  connectMs: 8,
  totalMs: 16,
  bytesUp: 24,
  bytesDown: 32,
  generation: 40,
  listenerRow: 44,
  upstreamRow: 48,
  backend: 52,
  cause: 56,
  errno: 60,
  worker: 64,
  attemptCount: 68,
  attempts: 72,
  clientFamily: 104,
  clientPort: 106,
  clientAddress: 108,
} as const

/** A record, decoded. */
export interface AccessRecord {
  readonly acceptedAt: number
  readonly connectMs: number
  readonly totalMs: number
  readonly bytesUp: number
  readonly bytesDown: number
  readonly generation: number
  readonly listenerRow: number
  readonly upstreamRow: number
  /** Id of the backend; -1 when there was none. */
  readonly backend: number
  readonly cause: number
  readonly errno: number
  readonly worker: number
  readonly attemptCount: number
  readonly attempts: readonly { readonly backend: number; readonly errno: number }[]
  readonly clientFamily: number
  readonly clientPort: number
  readonly clientAddress: Uint8Array
}

/** Reads the record that starts at byte `offset` of `view`. */
export function decodeAccessRecord(view: DataView, offset: number): AccessRecord {
  const attemptCount = view.getUint32(offset + AccessField.attemptCount, true)
  const attempts: { backend: number; errno: number }[] = []
  for (let i = 0; i < Math.min(attemptCount, MAX_RECORDED_ATTEMPTS); i++) {
    const at = offset + AccessField.attempts + 8 * i
    attempts.push({ backend: view.getUint32(at, true), errno: view.getUint32(at + 4, true) })
  }
  const address = new Uint8Array(16)
  for (let i = 0; i < 16; i++) address[i] = view.getUint8(offset + AccessField.clientAddress + i)
  return {
    acceptedAt: view.getFloat64(offset + AccessField.acceptedAt, true),
    connectMs: view.getFloat64(offset + AccessField.connectMs, true),
    totalMs: view.getFloat64(offset + AccessField.totalMs, true),
    bytesUp: view.getFloat64(offset + AccessField.bytesUp, true),
    bytesDown: view.getFloat64(offset + AccessField.bytesDown, true),
    generation: view.getUint32(offset + AccessField.generation, true),
    listenerRow: view.getUint32(offset + AccessField.listenerRow, true),
    upstreamRow: view.getUint32(offset + AccessField.upstreamRow, true),
    backend: view.getInt32(offset + AccessField.backend, true),
    cause: view.getUint32(offset + AccessField.cause, true),
    errno: view.getUint32(offset + AccessField.errno, true),
    worker: view.getUint32(offset + AccessField.worker, true),
    attemptCount,
    attempts,
    clientFamily: view.getUint16(offset + AccessField.clientFamily, true),
    clientPort: view.getUint16(offset + AccessField.clientPort, true),
    clientAddress: address,
  }
}
