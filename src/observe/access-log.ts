import { AF_INET, AF_INET6 } from '../kernel/constants.ts'
import { errnoName } from '../kernel/errno.ts'
import { type Cause, CauseCode, causes } from '../model/cause.ts'
import type { AccessRecord } from '../shared/access-record.ts'
import { DateText } from './date-text.ts'
import { formatIpv4, formatIpv6 } from './ip-text.ts'

/** The names that belong to the rows and ids of a record. Each answers for any, also for one that is gone. */
export interface RowNames {
  listener(row: number): string
  upstream(row: number): string
  /** The address as the file writes it. */
  /** By id. */
  backend(id: number): string
}

/** Turns a record into its line, which ends with a newline. */
export type AccessFormatter = (record: AccessRecord, names: RowNames) => string

/** The formatter for `accessLog.format`. It remembers dates, so each log has its own. */
export function createAccessFormatter(format: 'json' | 'tcplog'): AccessFormatter {
  const dates = format === 'json' ? DateText.iso() : DateText.haproxy()
  const formatLine = format === 'json' ? formatJson : formatTcplog
  return (record, names) => formatLine(record, names, dates)
}

/** One JSON object. docs/logs.md describes its keys. */
function formatJson(record: AccessRecord, names: RowNames, dates: DateText): string {
  const cause = causeOf(record)
  // Concatenation: an object for JSON.stringify takes twice the time, and a busy proxy writes 10,000 lines a second.
  return (
    `{"time":"${dates.format(record.acceptedAt)}Z"` +
    `,"listener":${quote(names.listener(record.listenerRow))}` +
    `,"route":"default"` +
    `,"client":"${formatClient(record)}"` +
    `,"upstream":${quote(names.upstream(record.upstreamRow))}` +
    `,"backend":${record.backend === -1 ? 'null' : quote(names.backend(record.backend))}` +
    `,"attempts":${formatAttempts(record, names)}` +
    `,"attemptCount":${record.attemptCount}` +
    `,"connectMs":${formatMs(record.connectMs)}` +
    `,"totalMs":${formatMs(record.totalMs)}` +
    `,"bytesUp":${record.bytesUp}` +
    `,"bytesDown":${record.bytesDown}` +
    `,"cause":"${cause.name}","by":"${cause.by}","phase":"${cause.phase}"` +
    `,"error":${formatErrno(record.errno)}` +
    `,"generation":${record.generation}` +
    `,"worker":${record.worker}}\n`
  )
}

/**
 * The line of HAProxy's `option tcplog` (configuration.txt 8.2.2), from the client's address on:
 * `ip:port [accept_date] frontend backend/server Tw/Tc/Tt bytes_read state 0/0/0/0/retries 0/0`.
 */
function formatTcplog(record: AccessRecord, names: RowNames, dates: DateText): string {
  const connectMs = Number.isFinite(record.connectMs) ? Math.round(record.connectMs) : -1
  const server = lastBackend(record)
  return (
    `${formatTcplogClient(record)} [${dates.format(record.acceptedAt)}] ${toWord(names.listener(record.listenerRow))} ` +
    `${toWord(names.upstream(record.upstreamRow))}/${server === -1 ? '<NOSRV>' : toWord(names.backend(server))} ` +
    `0/${connectMs}/${Math.round(record.totalMs)} ${record.bytesDown} ${causeOf(record).tcplog} ` +
    `0/0/0/0/${formatRetries(record)} 0/0\n`
  )
}

function causeOf(record: AccessRecord): Cause {
  return causes[record.cause] ?? causes[CauseCode.internalError]!
}

function formatClient(record: AccessRecord): string {
  if (record.clientFamily === AF_INET) return `${formatIpv4(record.clientAddress)}:${record.clientPort}`
  if (record.clientFamily === AF_INET6) return `[${formatIpv6(record.clientAddress)}]:${record.clientPort}`
  return 'unix:'
}

function formatTcplogClient(record: AccessRecord): string {
  if (record.clientFamily === AF_INET) return `${formatIpv4(record.clientAddress)}:${record.clientPort}`
  if (record.clientFamily === AF_INET6) return `${formatIpv6(record.clientAddress)}:${record.clientPort}`
  return 'unix:0'
}

function formatAttempts(record: AccessRecord, names: RowNames): string {
  let text = '['
  for (const [index, attempt] of record.attempts.entries()) {
    if (index > 0) text += ','
    text += `{"backend":${quote(names.backend(attempt.backend))},"error":${formatErrno(attempt.errno)}}`
  }
  return `${text}]`
}

/** The backend that was connected, or else the last that was tried, where the record still says which that was. */
function lastBackend(record: AccessRecord): number {
  if (record.backend !== -1 || record.attemptCount > record.attempts.length) return record.backend
  return record.attempts.at(-1)?.backend ?? -1
}

/** HAProxy puts a plus in front where a retry went to another server than the first. */
function formatRetries(record: AccessRecord): string {
  if (record.attemptCount < 2) return '0'
  const redispatched = record.attempts[0]?.backend !== lastBackend(record)
  return `${redispatched ? '+' : ''}${record.attemptCount - 1}`
}

function formatErrno(errno: number): string {
  return errno === 0 ? 'null' : `"${errnoName(errno)}"`
}

/** Milliseconds to the microsecond; null for none. */
function formatMs(value: number): string {
  return Number.isFinite(value) ? String(Math.round(value * 1000) / 1000) : 'null'
}

function quote(name: string): string {
  return /^[ !#-[\]-~]*$/.test(name) ? `"${name}"` : JSON.stringify(name)
}

/** A name without blanks and control characters, which would shift the fields behind it: their bytes become `#20`. */
function toWord(name: string): string {
  if (/^[!-~]+$/.test(name)) return name
  let word = ''
  for (const byte of Buffer.from(name)) {
    word += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `#${byte.toString(16).padStart(2, '0')}`
  }
  return word === '' ? '-' : word
}
