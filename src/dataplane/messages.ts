import type { Membership, Snapshot } from '../model/snapshot.ts'

/** What main tells a worker. */
export type WorkerOrder =
  /** Make ready to serve this snapshot; it is not served before the generation cell says so. */
  | { readonly type: 'prepare'; readonly snapshot: Snapshot }
  /** Forget a prepared snapshot: the reload was given up. */
  | { readonly type: 'discard'; readonly generation: number }
  /** Accept who still waits on these sockets, by id, and let go of them: they are about to be closed. */
  | { readonly type: 'release'; readonly sockets: readonly number[] }
  /** An upstream has other backends from now on, under every generation. */
  | { readonly type: 'members'; readonly membership: Membership }
  /** End the connections to these backends, by row. */
  | { readonly type: 'end'; readonly rows: readonly number[]; readonly cause: number }
  /** End every connection now: the time to drain is over. */
  | { readonly type: 'abort' }
  /** Count connections by generation. */
  | { readonly type: 'report'; readonly id: number }

/**
 * Connections to this backend have failed as often in a row as its upstream asks to be told of. `errno` is how the last
 * of them failed: to be connected, or, where `wasConnected`, before the backend's first byte.
 */
export interface FailingReport {
  readonly type: 'failing'
  readonly row: number
  readonly id: number
  readonly errno: number
  readonly wasConnected: boolean
}

/** What a worker tells main. */
export type WorkerReport =
  /** Its reactor runs. */
  | { readonly type: 'started' }
  | { readonly type: 'prepared'; readonly generation: number }
  /** It accepts under this generation. */
  | { readonly type: 'switched'; readonly generation: number }
  | FailingReport
  /** It has let go of these sockets. */
  | { readonly type: 'released'; readonly sockets: readonly number[] }
  | {
      readonly type: 'report'
      readonly id: number
      readonly generations: readonly { readonly generation: number; readonly connections: number }[]
    }

/** The way between a reactor and main. `receive` never waits. */
export interface OrderPort {
  receive(): WorkerOrder | undefined
  report(report: WorkerReport): void
}
