import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { TimerWheel } from '#src/dataplane/timer-wheel.js'

const TICK_MS = 20
/** Ticks after which a timer is looked at whatever it was armed for. */
const HORIZON = 2047

/** Advances and returns which connections fired. */
function fired(wheel: TimerWheel, nowMs: number): number[] {
  const due: number[] = []
  wheel.advance(nowMs, (connection) => due.push(connection))
  return due.sort((a, b) => a - b)
}

test('TimerWheel fires at the first tick that is not before the time, and once', () => {
  const wheel = new TimerWheel(TICK_MS, 1000, 4)
  wheel.arm(0, 1100)
  wheel.arm(1, 1101)
  assert.deepEqual(fired(wheel, 1099.9), [])
  assert.deepEqual(fired(wheel, 1100), [0])
  assert.deepEqual(fired(wheel, 1119), [])
  assert.deepEqual(fired(wheel, 1120), [1])
  assert.deepEqual(fired(wheel, 100_000), [])
  assert.equal(wheel.armed, 0)
})

test('TimerWheel fires what is overdue when it is armed at the next tick, not in this one', () => {
  const wheel = new TimerWheel(TICK_MS, 1000, 1)
  wheel.arm(0, 0)
  assert.deepEqual(fired(wheel, 1019), [])
  assert.deepEqual(fired(wheel, 1020), [0])
})

const DAY_MS = 86_400_000
for (const [name, durationMs] of Object.entries({
  '41 s': 41_000,
  'a day': DAY_MS,
  '24.8 days': 2 ** 31 - 1,
  '24.9 days': 2 ** 31 + DAY_MS / 10,
  'a year': 365 * DAY_MS,
  Infinity: Number.POSITIVE_INFINITY,
})) {
  test(`TimerWheel looks at a timer of ${name} once a turn of the wheel, never at once`, () => {
    const wheel = new TimerWheel(TICK_MS, 1000, 1)
    wheel.arm(0, 1000 + durationMs)
    assert.deepEqual(fired(wheel, 1000 + 40_000), [])
    assert.deepEqual(fired(wheel, 1000 + 41_000), [0])
  })
}

test('TimerWheel.cancel() disarms, at any place of a bucket, and twice does no harm', () => {
  for (const cancelled of [0, 1, 2]) {
    const wheel = new TimerWheel(TICK_MS, 0, 3)
    for (const connection of [0, 1, 2]) wheel.arm(connection, 100)
    wheel.cancel(cancelled)
    wheel.cancel(cancelled)
    assert.equal(wheel.armed, 2)
    assert.deepEqual(
      fired(wheel, 200),
      [0, 1, 2].filter((connection) => connection !== cancelled),
    )
  }
})

test('TimerWheel.advance() lets the callback arm the connection again, and cancel another that is due', () => {
  const wheel = new TimerWheel(TICK_MS, 0, 3)
  for (const connection of [0, 1, 2]) wheel.arm(connection, 100)
  const due: number[] = []
  wheel.advance(100, (connection) => {
    due.push(connection)
    // Buckets are last in, first out: 2 comes first.
    if (connection === 2) {
      wheel.cancel(1)
      wheel.arm(2, 0)
    }
  })
  assert.deepEqual(due, [2, 0])
  assert.deepEqual(fired(wheel, 119), [])
  assert.deepEqual(fired(wheel, 120), [2])
})

test('TimerWheel.advance() ends although every callback arms a time that is past', () => {
  const wheel = new TimerWheel(TICK_MS, 0, 1)
  wheel.arm(0, 0)
  let calls = 0
  wheel.advance(200, (connection) => {
    calls++
    wheel.arm(connection, 0)
  })
  assert.equal(calls, 10)
})

test('TimerWheel.advance() fires everything once after a stall of any length', () => {
  for (const stallMs of [41_000, 10 * 60_000, 30 * DAY_MS]) {
    const wheel = new TimerWheel(TICK_MS, 5000, 300)
    for (let connection = 0; connection < 300; connection++) wheel.arm(connection, 5000 + connection * 130)
    assert.equal(fired(wheel, 5000 + stallMs).length, 300)
    wheel.arm(7, 5000 + stallMs + 100)
    assert.deepEqual(fired(wheel, 5000 + stallMs + 99), [])
    assert.deepEqual(fired(wheel, 5000 + stallMs + 120), [7])
  }
})

test('TimerWheel.armNoLaterThan() moves a timer forward and never back', () => {
  const wheel = new TimerWheel(TICK_MS, 0, 1)
  wheel.armNoLaterThan(0, 400)
  wheel.armNoLaterThan(0, 800)
  wheel.armNoLaterThan(0, 200)
  assert.deepEqual(fired(wheel, 199), [])
  assert.deepEqual(fired(wheel, 200), [0])
})

test('TimerWheel.grow() keeps what is armed and makes room for more', () => {
  const wheel = new TimerWheel(TICK_MS, 0, 0)
  wheel.grow(2)
  wheel.arm(1, 100)
  wheel.grow(1000)
  wheel.arm(999, 100)
  assert.deepEqual(fired(wheel, 100), [1, 999])
})

test('TimerWheel.sleepMs() is the time to the next bucket in use, a whole number, and never above the limit', () => {
  const wheel = new TimerWheel(TICK_MS, 1000, 2)
  assert.equal(wheel.sleepMs(1000, 500), 500)
  wheel.arm(0, 1100)
  assert.equal(wheel.sleepMs(1000.5, 500), 100)
  assert.equal(wheel.sleepMs(1000, 50), 50)
  assert.equal(wheel.sleepMs(1200, 500), 0)
  wheel.arm(0, 1000 + DAY_MS)
  assert.equal(wheel.sleepMs(1000, 500), 500)
})

/**
 * The same as the wheel, as a list. A timer is due at the first tick that is not before its time, at the next tick at
 * the earliest and after one turn of the wheel at the latest.
 */
class ListOfTimers {
  readonly #due = new Map<number, number>()
  #tick: number

  constructor(nowMs: number) {
    this.#tick = Math.floor(nowMs / TICK_MS)
  }

  arm(connection: number, atMs: number): void {
    const due = Math.min(Math.ceil(atMs / TICK_MS), this.#tick + HORIZON)
    this.#due.set(connection, Math.max(this.#tick + 1, due))
  }

  armNoLaterThan(connection: number, atMs: number): void {
    const due = this.#due.get(connection)
    if (due === undefined || due * TICK_MS > atMs) this.arm(connection, atMs)
  }

  cancel(connection: number): void {
    this.#due.delete(connection)
  }

  advance(nowMs: number): number[] {
    this.#tick = Math.max(this.#tick, Math.floor(nowMs / TICK_MS))
    const due = [...this.#due].filter(([, tick]) => tick <= this.#tick).map(([connection]) => connection)
    for (const connection of due) this.#due.delete(connection)
    return due.sort((a, b) => a - b)
  }

  get armed(): number {
    return this.#due.size
  }
}

/** Milliseconds with a fraction, evenly spread: `fc.double` prefers numbers that are next to nothing. */
function eighths(minimum: number, maximum: number): fc.Arbitrary<number> {
  return fc.integer({ min: 8 * minimum, max: 8 * maximum }).map((value) => value / 8)
}

test('TimerWheel fires exactly what a plain list of timers fires', () => {
  const connection = fc.nat(2)
  const afterMs = fc.oneof(
    eighths(-100, 300),
    eighths(0, 50_000),
    fc.constantFrom(2 ** 31, 365 * DAY_MS, Number.POSITIVE_INFINITY),
  )
  const step = fc.oneof(
    fc.record({ type: fc.constantFrom('arm', 'armNoLaterThan'), connection, afterMs }),
    fc.record({ type: fc.constant('cancel'), connection, afterMs: fc.constant(0) }),
    fc.record({
      type: fc.constant('advance'),
      connection: fc.constant(0),
      afterMs: fc.oneof({ weight: 5, arbitrary: eighths(0, 60) }, { weight: 1, arbitrary: eighths(0, 1e5) }),
    }),
  )
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), eighths(0, 1e12), (steps, startMs) => {
      let nowMs = startMs
      const wheel = new TimerWheel(TICK_MS, nowMs, 3)
      const list = new ListOfTimers(nowMs)
      for (const { type, connection: which, afterMs: ms } of steps) {
        if (type === 'advance') {
          nowMs += ms
          assert.deepEqual(fired(wheel, nowMs), list.advance(nowMs))
        } else if (type === 'cancel') {
          wheel.cancel(which)
          list.cancel(which)
        } else {
          wheel[type as 'arm'](which, nowMs + ms)
          list[type as 'arm'](which, nowMs + ms)
        }
        assert.equal(wheel.armed, list.armed)
      }
    }),
    { numRuns: 300 },
  )
})
