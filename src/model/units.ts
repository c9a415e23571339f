/**
 * Durations and sizes as the file writes them: a whole number and a unit, nothing between them. Pure functions.
 */
const millisecondsByUnit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const bytesByUnit = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

/** Spellings that people try, and the unit they mean. Compared in lower case. */
const durationSpellings: Readonly<Record<string, string>> = {
  msec: 'ms',
  millis: 'ms',
  milliseconds: 'ms',
  sec: 's',
  secs: 's',
  second: 's',
  seconds: 's',
  min: 'm',
  mins: 'm',
  minute: 'm',
  minutes: 'm',
  hr: 'h',
  hour: 'h',
  hours: 'h',
  day: 'd',
  days: 'd',
}
const sizeSpellings: Readonly<Record<string, string>> = {
  b: 'B',
  byte: 'B',
  bytes: 'B',
  k: 'KiB',
  kb: 'KiB',
  kib: 'KiB',
  m: 'MiB',
  mb: 'MiB',
  mib: 'MiB',
  g: 'GiB',
  gb: 'GiB',
  gib: 'GiB',
}

/** Milliseconds of `250ms`, `5s`, `10m`, `1h` or `1d`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  return parse(text, millisecondsByUnit)
}

/** Bytes of `512B`, `64KiB`, `10MiB` or `1GiB`; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  return parse(text, bytesByUnit)
}

/** A share from 0 to 1 of a whole percentage such as `50%`; undefined for anything else. */
export function parsePercent(text: string): number | undefined {
  const match = /^(\d{1,3})%$/.exec(text)
  const value = match === null ? Number.NaN : Number(match[1])
  return value <= 100 ? value / 100 : undefined
}

/** Whole numbers from `200-299`, or `200` alone, both ends included; undefined for anything else. */
export function parseRange(text: string): { from: number; to: number } | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  if (match === null) return undefined
  const from = Number(match[1])
  const to = Number(match[2] ?? match[1])
  return from <= to ? { from, to } : undefined
}

/**
 * What was probably meant by a duration that is none: `5 sec` gives `5s`, `1.5s` gives `1500ms`, `1h30m` gives `90m`.
 * Empty when unclear.
 */
export function suggestDuration(text: string): string {
  return suggestSum(text) || suggest(text, millisecondsByUnit, durationSpellings, 's')
}

/** What was probably meant by a size that is none: `64kb` gives `64KiB`. Empty when unclear. */
export function suggestSize(text: string): string {
  return suggest(text, bytesByUnit, sizeSpellings, 'MiB')
}

function parse(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d{1,15})([A-Za-z]{1,3})$/.exec(text)
  const factor = units[match?.[2] ?? '']
  if (match === null || factor === undefined) return undefined
  const value = Number(match[1]) * factor
  return Number.isSafeInteger(value) ? value : undefined
}

/** Several durations in a row as one, in the unit of the last. */
function suggestSum(text: string): string {
  if (!/^(?:\d{1,6}(?:d|h|ms|m|s)\s?){2,5}$/.test(text)) return ''
  const parts = text.match(/\d+[a-z]+/g) ?? []
  const sum = parts.reduce((total, part) => total + (parseDuration(part) ?? Number.NaN), 0)
  return inUnits(sum, parts.at(-1)?.replace(/\d+/, '') ?? '', millisecondsByUnit)
}

function suggest(
  text: string,
  units: Readonly<Record<string, number>>,
  spellings: Readonly<Record<string, string>>,
  usualUnit: string,
): string {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)\s{0,3}([A-Za-z]{0,12})$/.exec(text.trim().slice(0, 32))
  if (match === null) return ''
  const [, amount = '', word = ''] = match
  const unit = word === '' ? usualUnit : unitMeant(word, units, spellings)
  return unit === undefined ? '' : inUnits(Number(amount) * (units[unit] ?? Number.NaN), unit, units)
}

function unitMeant(
  word: string,
  units: Readonly<Record<string, number>>,
  spellings: Readonly<Record<string, string>>,
): string | undefined {
  const lower = word.toLowerCase()
  if (Object.hasOwn(units, word)) return word
  if (Object.hasOwn(spellings, lower)) return spellings[lower]
  return Object.hasOwn(units, lower) ? lower : undefined
}

/** The value in the unit asked for when that gives a whole number, else in the largest unit that does. */
function inUnits(value: number, wanted: string, units: Readonly<Record<string, number>>): string {
  const candidates = [wanted, ...Object.keys(units).reverse()]
  const unit = candidates.find((candidate) => Number.isInteger(value / (units[candidate] ?? Number.NaN)))
  return unit === undefined || value === 0 ? '' : `${value / (units[unit] ?? 1)}${unit}`
}
