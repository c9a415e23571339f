/**
 * The cells that main stores and every worker reads.
 *
 * ```
 *   0  generation   the snapshot that serves; a reload is one store to it
 *   1  stop         1: every thread ends at once
 *   2  open         connections of the whole process
 * ```
 */
export const CONTROL_CELLS = 16

export const ControlCell = { generation: 0, stop: 1, open: 2 } as const

/**
 * The cells of one worker, written by it alone.
 *
 * ```
 *   0  heartbeat    advances at every turn of the reactor, at least once a second
 *   1  open         connections this worker holds
 *   2  generation   the snapshot it has switched to
 *   3  accepted     connections it ever accepted, modulo 2^32
 *   4  oldest       the lowest generation it serves or holds connections of
 *   5  capacity     connections its slots have room for
 *   6  epoll        its epoll descriptor plus one
 *   7  epoch        the last change of members that it has taken over
 *   8  shortages    how often it was short of file descriptors, modulo 2^32
 * ```
 */
export const WORKER_CELLS = 16

export const WorkerCell = {
  heartbeat: 0,
  open: 1,
  generation: 2,
  accepted: 3,
  oldestGeneration: 4,
  capacity: 5,
  epoll: 6,
  epoch: 7,
  shortages: 8,
} as const
