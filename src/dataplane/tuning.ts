/** Sizes and budgets of a reactor. The simulation runs the same code with tiny ones. */
export interface Tuning {
  /** Largest read, and the size of the scratch buffer. Bytes. */
  readonly largeReadBytes: number
  /** A read before the connection has shown that its peer takes everything. Bytes. */
  readonly readBytes: number
  /** A read while memory for slow peers is scarce. Bytes. */
  readonly scarceReadBytes: number
  /** Unit of memory for bytes that a peer did not take. Bytes. */
  readonly chunkBytes: number
  /** Bytes one direction may move in one turn before the others get theirs. */
  readonly bytesPerTurn: number
  /** Connections accepted from one listener in one turn. */
  readonly acceptsPerTurn: number
  /** Accepts after which a listener is taken out of epoll and in again, so that the next worker gets its share. */
  readonly acceptsPerRotation: number
  /** Events fetched in one turn. */
  readonly eventsPerTurn: number
  /** Resolution of timeouts. */
  readonly timerTickMs: number
  /** Longest sleep, so that the heartbeat advances. */
  readonly maxSleepMs: number
  /** How often a worker that stopped accepting, for want of descriptors or room, looks again. */
  readonly resumeMs: number
  /** How long a refused client may take to read what it was told. */
  readonly lingerMs: number
}

export const defaultTuning: Tuning = {
  largeReadBytes: 512 * 1024,
  readBytes: 64 * 1024,
  scarceReadBytes: 16 * 1024,
  chunkBytes: 64 * 1024,
  bytesPerTurn: 1024 * 1024,
  acceptsPerTurn: 16,
  acceptsPerRotation: 16,
  eventsPerTurn: 512,
  timerTickMs: 20,
  maxSleepMs: 500,
  resumeMs: 20,
  lingerMs: 2000,
}
