import { AF_INET, AF_INET6 } from '../kernel/constants.ts'
import { errnoName } from '../kernel/errno.ts'
import { type Cause, CauseCode, causes } from '../model/cause.ts'
import type { AccessRecord } from '../shared/access-record.ts'
import { DateText } from './date-text.ts'
import { formatIpv6 } from './ip-text.ts'
import type { LineBuffer } from './line-buffer.ts'

const BLANK = 0x20
const COMMA = 0x2c
const DOT = 0x2e
const SLASH = 0x2f
const COLON = 0x3a
const CLOSING_BRACE = 0x7d

/** The names that belong to the rows and ids of a record. Each answers for any, also for one that is gone. */
export interface RowNames {
  listener(row: number): string
  upstream(row: number): string
  /** The address as the file writes it, by id. */
  backend(id: number): string
}

/** Writes a record's line, newline included. */
export type AccessFormatter = (record: AccessRecord, out: LineBuffer) => void

/** Names whose bytes are kept; a log that meets more begins anew. */
const MAX_KEPT_NAMES = 4096

/** The formatter for `accessLog.format`. It remembers dates and names, so each log has its own. */
export function createAccessFormatter(format: 'json' | 'tcplog', names: RowNames): AccessFormatter {
  return format === 'json' ? createJsonFormatter(names) : createTcplogFormatter(names)
}

/** One JSON object. docs/logs.md describes its keys. */
function createJsonFormatter(names: RowNames): AccessFormatter {
  const dates = DateText.iso()
  const quoted = memoize(JSON.stringify)
  const endings = causes.map(({ name, by, phase }) => bytesOf(`,"cause":"${name}","by":"${by}","phase":"${phase}"`))
  const key = {
    time: bytesOf('{"time":"'),
    listener: bytesOf('Z","listener":'),
    client: bytesOf(',"route":"default","client":"'),
    upstream: bytesOf('","upstream":'),
    backend: bytesOf(',"backend":'),
    attempts: bytesOf(',"attempts":['),
    attempt: bytesOf('{"backend":'),
    attemptCount: bytesOf('],"attemptCount":'),
    connectMs: bytesOf(',"connectMs":'),
    totalMs: bytesOf(',"totalMs":'),
    bytesUp: bytesOf(',"bytesUp":'),
    bytesDown: bytesOf(',"bytesDown":'),
    error: bytesOf(',"error":'),
    generation: bytesOf(',"generation":'),
    worker: bytesOf(',"worker":'),
    end: bytesOf('}\n'),
  }

  const writeAttempts = ({ attempts }: AccessRecord, out: LineBuffer) => {
    out.bytes(key.attempts)
    for (let i = 0; i < attempts.length; i++) {
      const { backend, errno } = attempts[i]!
      if (i > 0) out.byte(COMMA)
      out.bytes(key.attempt)
      out.bytes(quoted(names.backend(backend)))
      out.bytes(key.error)
      writeErrno(errno, out)
      out.byte(CLOSING_BRACE)
    }
  }

  return (record, out) => {
    out.bytes(key.time)
    dates.write(record.acceptedAt, out)
    out.bytes(key.listener)
    out.bytes(quoted(names.listener(record.listenerRow)))
    out.bytes(key.client)
    writeClient(record, jsonClient, out)
    out.bytes(key.upstream)
    out.bytes(quoted(names.upstream(record.upstreamRow)))
    out.bytes(key.backend)
    if (record.backend === -1) out.ascii('null')
    else out.bytes(quoted(names.backend(record.backend)))
    writeAttempts(record, out)
    out.bytes(key.attemptCount)
    out.number(record.attemptCount)
    out.bytes(key.connectMs)
    writeMs(record.connectMs, out)
    out.bytes(key.totalMs)
    writeMs(record.totalMs, out)
    out.bytes(key.bytesUp)
    out.number(record.bytesUp)
    out.bytes(key.bytesDown)
    out.number(record.bytesDown)
    out.bytes(endings[record.cause] ?? endings[CauseCode.internalError]!)
    out.bytes(key.error)
    writeErrno(record.errno, out)
    out.bytes(key.generation)
    out.number(record.generation)
    out.bytes(key.worker)
    out.number(record.worker)
    out.bytes(key.end)
  }
}

/**
 * The line of HAProxy's `option tcplog` (configuration.txt 8.2.2), from the client's address on:
 * `ip:port [accept_date] frontend backend/server Tw/Tc/Tt bytes_read state 0/0/0/0/retries 0/0`.
 */
function createTcplogFormatter(names: RowNames): AccessFormatter {
  const dates = DateText.haproxy()
  const word = memoize(toWord)
  return (record, out) => {
    const connectMs = Number.isFinite(record.connectMs) ? Math.round(record.connectMs) : -1
    const server = lastBackend(record)
    writeClient(record, tcplogClient, out)
    out.ascii(' [')
    dates.write(record.acceptedAt, out)
    out.ascii('] ')
    out.bytes(word(names.listener(record.listenerRow)))
    out.byte(BLANK)
    out.bytes(word(names.upstream(record.upstreamRow)))
    out.byte(SLASH)
    if (server === -1) out.ascii('<NOSRV>')
    else out.bytes(word(names.backend(server)))
    out.ascii(` 0/${connectMs}/`)
    out.number(Math.round(record.totalMs))
    out.byte(BLANK)
    out.number(record.bytesDown)
    out.byte(BLANK)
    out.ascii(causeOf(record).tcplog)
    out.ascii(` 0/0/0/0/${formatRetries(record)} 0/0\n`)
  }
}

function causeOf(record: AccessRecord): Cause {
  return causes[record.cause] ?? causes[CauseCode.internalError]!
}

/** How a client's address looks beside its bytes. */
interface ClientForm {
  readonly ipv6: readonly [before: string, after: string]
  readonly unix: string
}

const jsonClient: ClientForm = { ipv6: ['[', ']:'], unix: 'unix:' }
const tcplogClient: ClientForm = { ipv6: ['', ':'], unix: 'unix:0' }

function writeClient({ clientFamily, clientAddress, clientPort }: AccessRecord, form: ClientForm, out: LineBuffer) {
  if (clientFamily === AF_INET) {
    for (let i = 0; i < 4; i++) {
      if (i > 0) out.byte(DOT)
      out.number(clientAddress[i]!)
    }
    out.byte(COLON)
    out.number(clientPort)
  } else if (clientFamily === AF_INET6) {
    const [before, after] = form.ipv6
    out.ascii(before + formatIpv6(clientAddress) + after)
    out.number(clientPort)
  } else out.ascii(form.unix)
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

function writeErrno(errno: number, out: LineBuffer): void {
  out.ascii(errno === 0 ? 'null' : `"${errnoName(errno)}"`)
}

/** Milliseconds to the microsecond; null for none. */
function writeMs(value: number, out: LineBuffer): void {
  if (Number.isFinite(value)) out.milliseconds(value)
  else out.ascii('null')
}

/** A name without blanks and control characters, which would shift the fields behind it: their bytes become `#20`. */
function toWord(name: string): string {
  let word = ''
  for (const byte of Buffer.from(name)) {
    word += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `#${byte.toString(16).padStart(2, '0')}`
  }
  return word === '' ? '-' : word
}

/** What names become in a line, made once for each. */
function memoize(encode: (name: string) => string): (name: string) => Uint8Array {
  const known = new Map<string, Uint8Array>()
  return (name) => {
    const kept = known.get(name)
    if (kept !== undefined) return kept
    const bytes = bytesOf(encode(name))
    if (known.size >= MAX_KEPT_NAMES) known.clear()
    known.set(name, bytes)
    return bytes
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
