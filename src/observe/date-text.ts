import type { LineBuffer } from './line-buffer.ts'

const SLOTS = 1024
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DOT = 0x2e
/** Year 275760: where Date ends. */
const MAX_DATE_MS = 8.64e15

/**
 * Writes points in time, keeping the text of the seconds that it met last: connections that end together began within
 * some minutes. Seconds share 1,024 slots, each of which holds the newest.
 */
export class DateText {
  readonly #format: (date: Date) => string
  readonly #seconds = new Float64Array(SLOTS).fill(Number.NaN)
  readonly #texts: Uint8Array[] = new Array(SLOTS).fill(new Uint8Array())

  private constructor(format: (date: Date) => string) {
    this.#format = format
  }

  /** `2009-02-06T12:12:51.443`, in UTC and without the Z. */
  static iso(): DateText {
    return new DateText((date) => date.toISOString().slice(0, -5))
  }

  /** `06/Feb/2009:12:12:51.443`, in local time: the accept date of HAProxy's logs. */
  static haproxy(): DateText {
    return new DateText(formatHaproxySecond)
  }

  /** `timeMs` is milliseconds since 1970 and may have a fraction, which is cut off. */
  write(timeMs: number, out: LineBuffer): void {
    const safeMs = timeMs >= 0 && timeMs <= MAX_DATE_MS ? Math.floor(timeMs) : 0
    const second = Math.floor(safeMs / 1000)
    const slot = second % SLOTS
    if (this.#seconds[slot] !== second) {
      this.#seconds[slot] = second
      this.#texts[slot] = Buffer.from(this.#format(new Date(second * 1000)))
    }
    out.bytes(this.#texts[slot]!)
    out.byte(DOT)
    out.padded(safeMs % 1000, 3)
  }
}

function formatHaproxySecond(date: Date): string {
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`
  return `${day}:${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}
