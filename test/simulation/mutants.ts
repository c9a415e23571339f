/** A fault planted in the reactor, to prove that the simulation would find it. */
export interface Mutant {
  readonly name: string
  /** Under dist/dataplane. */
  readonly file: string
  /** Stands exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** A schedule that fails with the fault, and passes without it: `main.js --hunt NAME` finds one. */
  readonly seed: number
}

export const mutants: readonly Mutant[] = [
  {
    name: 'a short read is the end, though a FIN came with the bytes',
    file: 'core.js',
    find: 'this.slots.flags[side] |= Flag.readable | Flag.toTheEnd;',
    replace: 'this.slots.flags[side] |= Flag.readable;',
    seed: 2,
  },
  {
    name: 'the tag of a stale event is not looked at',
    file: 'reactor.js',
    find: 'if (slots.tag[side] !== tag)\n            return;\n        const connection',
    replace: 'const connection',
    seed: 2295,
  },
  {
    name: 'a read that met EAGAIN does not ask epoll again',
    file: 'relay.js',
    find: 'this.#core.rearm(from);',
    replace: '',
    seed: 4,
  },
  {
    name: 'a write that met EAGAIN does not ask epoll again',
    file: 'relay.js',
    find: 'this.#core.rearm(from ^ 1);',
    replace: '',
    seed: 4,
  },
  {
    name: 'bytes that the other side did not take are dropped',
    file: 'relay.js',
    find: 'this.#keep(from, core.scratchAt + taken, got - taken);',
    replace: ';',
    seed: 2,
  },
  {
    name: 'an end is passed on before the bytes that wait',
    file: 'relay.js',
    find: 'if (!this.#flush(from))\n                    return;',
    replace: 'if (!this.#flush(from)) {\n if ((flags & Flag.toTheEnd) !== 0) this.#passEnd(from);\n return;\n }',
    seed: 2,
  },
  {
    name: 'a half-close closes both directions',
    file: 'relay.js',
    find: 'if ((slots.flags[to] & Flag.ended) !== 0 && ',
    replace: 'if (',
    seed: 3,
  },
  {
    name: 'the end of a stream is not passed on',
    file: 'relay.js',
    find: 'core.kernel.shutdown(core.fd(to), SHUT_WR);',
    replace: '',
    seed: 2,
  },
  {
    name: 'a reset is passed on as an end',
    file: 'relay.js',
    find: 'this.#closer.end(side >> 1, cause, errno, true);',
    replace: 'this.#closer.end(side >> 1, cause, errno, false);',
    seed: 4,
  },
  {
    name: 'a read that was interrupted is an error',
    file: 'relay.js',
    find: 'if (errno === EINTR)\n            return 0;',
    replace: '',
    seed: 31,
  },
  {
    name: 'a write that was interrupted is an error',
    file: 'relay.js',
    find: 'while (result === -EINTR)',
    replace: 'while (false)',
    seed: 22,
  },
  {
    name: 'bytes that were only peeked are not taken out of the socket',
    file: 'relay.js',
    find: 'if (peek && !this.#discard(from, taken))',
    replace: 'if (false)',
    seed: 7,
  },
  {
    name: 'a stream whose turn is over is forgotten',
    file: 'relay.js',
    find: 'this.#core.runLater(from);',
    replace: '',
    seed: 4,
  },
  {
    name: 'room to write is no news',
    file: 'reactor.js',
    find: 'this.#relay.unblock(side ^ 1);',
    replace: '',
    seed: 2,
  },
  {
    name: 'a stream goes on after bytes of it were lost',
    file: 'relay.js',
    find: ' || (slots.flags[from ^ 1] & Flag.broken) !== 0)',
    replace: ')',
    seed: 377,
  },
  {
    name: 'a reset after the end of a stream is not seen',
    file: 'reactor.js',
    find: 'this.#relay.noteGone(side);',
    replace: 'this.#relay.pump(side);',
    seed: 34,
  },
  {
    name: 'idle is reckoned without the bytes that are written',
    file: 'relay.js',
    find: 'slots.activeAt[connection] = nowMs;',
    replace: '',
    seed: 117,
  },
  {
    name: 'the idle timeout waits for the timer of the connect timeout',
    file: 'dialer.js',
    find: 'core.timers.armNoLaterThan(connection, core.nowMs + this.#listenerOf(connection).idleTimeoutMs);',
    replace: '',
    seed: 50,
  },
  {
    name: 'the error of a connect is not looked at',
    file: 'dialer.js',
    find: 'if (errno !== 0) {',
    replace: 'if (false) {',
    seed: 1,
  },
  {
    name: 'a refused client that lingers is read at every event',
    file: 'reactor.js',
    find: 'if ((mask & ~EPOLLOUT) !== 0)',
    replace: 'if (true)',
    seed: 1,
  },
  {
    name: 'a descriptor is closed twice',
    file: 'core.js',
    find: 'this.slots.descriptor[side] = 0;',
    replace: '',
    seed: 1,
  },
  {
    name: 'a slot is not freed',
    file: 'closer.js',
    find: 'slots.free(connection);',
    replace: '',
    seed: 1,
  },
  {
    name: 'a slot is freed twice',
    file: 'closer.js',
    find: 'slots.free(connection);',
    replace: 'slots.free(connection);\n        slots.free(connection);',
    seed: 1,
  },
  {
    name: 'the timer of a closed connection is not cancelled',
    file: 'closer.js',
    find: 'core.timers.cancel(connection);',
    replace: '',
    seed: 2,
  },
  {
    name: 'the place at a backend is not given back',
    file: 'closer.js',
    find: 'table.release(row);',
    replace: '',
    seed: 1,
  },
  {
    name: 'memory of bytes that wait is not given back',
    file: 'closer.js',
    find: 'this.dropPending(2 * connection + 1);',
    replace: '',
    seed: 10,
  },
  {
    name: 'want of descriptors does not stop accepting',
    file: 'acceptor.js',
    find: 'if (OUT_OF_RESOURCES.includes(-fd)) {\n                    this.#pause();',
    replace: 'if (OUT_OF_RESOURCES.includes(-fd)) {',
    seed: 41,
  },
  {
    name: 'accepting does not go on after want of room',
    file: 'reactor.js',
    find: 'this.#acceptor.resume();',
    replace: '',
    seed: 4,
  },
  {
    name: 'a backend that never answers is waited for without end',
    file: 'dialer.js',
    find: 'this.#retry(connection, ETIMEDOUT);',
    replace: '',
    seed: 1,
  },
]
