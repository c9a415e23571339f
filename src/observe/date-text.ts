const SLOTS = 1024
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const MILLISECONDS = Array.from({ length: 1000 }, (_, ms) => `.${String(ms).padStart(3, '0')}`)
/** Year 275760: where Date ends. */
const MAX_DATE_MS = 8.64e15

/**
 * Formats points in time, keeping the text of the seconds that it met last: connections that end together began within
 * some minutes. Seconds share 1,024 slots, each of which holds the newest.
 */
export class DateText {
  readonly #format: (date: Date) => string
  readonly #seconds = new Float64Array(SLOTS).fill(Number.NaN)
  readonly #texts: string[] = new Array(SLOTS).fill('')

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
  format(timeMs: number): string {
    const safeMs = timeMs >= 0 && timeMs <= MAX_DATE_MS ? Math.floor(timeMs) : 0
    const second = Math.floor(safeMs / 1000)
    const slot = second % SLOTS
    if (this.#seconds[slot] !== second) {
      this.#seconds[slot] = second
      this.#texts[slot] = this.#format(new Date(second * 1000))
    }
    return this.#texts[slot]! + MILLISECONDS[safeMs % 1000]!
  }
}

function formatHaproxySecond(date: Date): string {
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`
  return `${day}:${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}
