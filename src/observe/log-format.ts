import type { LogLevel } from '../model/config.ts'
import { type LogValue, toLogValue } from './log-value.ts'

export type LogFields = Readonly<Record<string, unknown>>

/** How a text line is dressed: with colours for a terminal, with a priority for the journal. */
export type TextStyle = 'plain' | 'terminal' | 'journal'

const RESET = '\u001b[0m'
const DIM = '\u001b[2m'
const colours = { error: '\u001b[31m', warn: '\u001b[33m', info: '\u001b[32m', debug: '\u001b[36m' } as const
/** sd-daemon(3): systemd takes the number off again and keeps it as the line's priority. */
const priorities = { error: '<3>', warn: '<4>', info: '<6>', debug: '<7>' } as const

/** `{"time":"2026-01-31T12:00:00.000Z","level":"info","message":"…", …fields}`, without a newline. */
export function formatJsonLine(time: Date, level: LogLevel, message: string, fields: LogFields): string {
  // The first three come first, and are not overwritten by a field of the same name.
  const own = { time: time.toISOString(), level, message }
  return JSON.stringify({ ...own, ...(toLogValue(fields) as Record<string, LogValue>), ...own })
}

/** `2026-01-31T12:00:00.000Z info  message key=value`, without a newline. */
export function formatTextLine(
  time: Date,
  level: LogLevel,
  message: string,
  fields: LogFields,
  style: TextStyle,
): string {
  const word = level.padEnd(5)
  const start = [
    time.toISOString(),
    style === 'terminal' ? `${colours[level]}${word}${RESET}` : word,
    neutralise(message),
  ]
  const rest = Object.entries(toLogValue(fields) as Record<string, LogValue>).map(([key, value]) =>
    style === 'terminal'
      ? `${DIM}${neutralise(key)}=${RESET}${formatText(value)}`
      : `${neutralise(key)}=${formatText(value)}`,
  )
  return (style === 'journal' ? priorities[level] : '') + [...start, ...rest].join(' ')
}

function formatText(value: LogValue): string {
  if (typeof value === 'string') return /^[^\s"={}[\],\p{C}]+$/u.test(value) ? value : neutralise(JSON.stringify(value))
  if (Array.isArray(value)) return `[${value.map(formatText).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const entries = Object.entries(value).map(([key, entry]) => `${neutralise(key)}=${formatText(entry)}`)
  return `{${entries.join(' ')}}`
}

/** Control and formatting characters could forge lines or reprogram the terminal that shows them. */
function neutralise(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}
