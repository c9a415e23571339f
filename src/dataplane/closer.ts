import type { Core } from './core.ts'
import type { Recorder } from './recorder.ts'

/** Ends connections: the one place where what a connection holds is given back. */
export class Closer {
  readonly #core: Core
  readonly #recorder: Recorder

  constructor(core: Core, recorder: Recorder) {
    this.#core = core
    this.#recorder = recorder
  }

  /**
   * Ends the connection and frees its slot. With `reset` both peers see a reset, and so does one for which bytes still
   * wait: cut short, its stream must not look as if it had ended. Otherwise they see the end of the stream.
   */
  end(connection: number, cause: number, errno: number, reset: boolean): void {
    const core = this.#core
    const { slots } = core
    // The log is the process's, not the connection's: where it goes, and whether there is one, is as of now.
    if (core.current!.snapshot.accessLog) this.#recorder.record(connection, cause, errno)
    core.timers.cancel(connection)
    const client = 2 * connection
    const backend = client + 1
    core.closeSide(backend, reset || slots.pendingBytes[client]! > 0)
    core.closeSide(client, reset || slots.pendingBytes[backend]! > 0)
    this.dropPending(client)
    this.dropPending(backend)
    this.releaseBackend(connection)
    core.counters.changeListenerActive(slots.listenerRow[connection]!, -1)
    core.leave(slots.serving[connection]!)
    slots.free(connection)
  }

  /** Gives back the place at the backend, if the connection has one. */
  releaseBackend(connection: number): void {
    const { slots, table } = this.#core
    const row = slots.backendRow[connection]!
    if (row < 0) return
    slots.backendRow[connection] = -1
    table.release(row)
  }

  /** Gives back the memory of bytes that wait for the other side. They are lost. */
  dropPending(side: number): void {
    const { slots, pool } = this.#core
    let chunk = slots.pendingHead[side]!
    while (chunk >= 0) {
      const next = pool.next(chunk)
      pool.give(chunk)
      chunk = next
    }
    slots.pendingHead[side] = -1
    slots.pendingTail[side] = -1
    slots.pendingOffset[side] = 0
    slots.pendingBytes[side] = 0
  }
}
