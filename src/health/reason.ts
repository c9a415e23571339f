import { describeNameMismatch, type NameMismatch } from '../model/certificate-name.ts'

/** Bytes of a peer that a reason quotes at most. */
const QUOTED_BYTES = 64
/** Characters of a reason at most. */
const REASON_LENGTH = 300

/** Why a check fails, thrown by its steps. It never leaves probe(). */
export class StepFailure extends Error {
  readonly step: string
  readonly reason: string
  /** Whether this machine is at fault, so that nothing was learned about the backend. */
  readonly isLocal: boolean

  constructor(step: string, reason: string, isLocal = false) {
    super(reason)
    this.step = step
    this.reason = reason.length > REASON_LENGTH ? `${reason.slice(0, REASON_LENGTH)}…` : reason
    this.isLocal = isLocal
  }
}

/** Bytes as a quoted, printable text of bounded length: `"+PONG\r\n"`, `"\x00\xff"…`. */
export function quoteBytes(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes.subarray(0, QUOTED_BYTES)) text += printable(byte)
  return `"${text}"${bytes.length > QUOTED_BYTES ? '…' : ''}`
}

/** Text of a peer as {@link quoteBytes}, unless a secret stands in it: some servers repeat what they were told. */
export function quoteAnswer(bytes: Buffer, secret: string): string {
  return secret !== '' && bytes.includes(secret) ? '(text withheld)' : quoteBytes(bytes)
}

function printable(byte: number): string {
  if (byte === 0x0d) return '\\r'
  if (byte === 0x0a) return '\\n'
  if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`
  if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte)
  return `\\x${byte.toString(16).padStart(2, '0')}`
}

const knownErrors: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection closed by the backend',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ETIMEDOUT: 'connection timed out',
  ENOENT: 'no such socket',
  EACCES: 'permission denied',
  // A unix socket whose queue of connections is full.
  EAGAIN: 'the queue of connections is full',
  EMFILE: 'no free descriptor in this process',
  ENFILE: 'no free descriptor on this machine',
  EADDRNOTAVAIL: 'no local address or port to connect from',
  ENOBUFS: 'no free memory for sockets',
  ENOMEM: 'no free memory',
}

/** What the error of a system call, by its name, says of a backend: `connection refused`. */
export function describeError(code: string): string {
  return Object.hasOwn(knownErrors, code) ? knownErrors[code]! : code
}

const localErrors = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])

/** What went wrong at a step, from an error of node:net or node:tls. */
export function failureOf(step: string, error: unknown): StepFailure {
  if (error instanceof StepFailure) return error
  const { code, reason, message } = error as NodeJS.ErrnoException & { reason?: unknown }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return new StepFailure(step, asciiOf(describeNameMismatch(error as NameMismatch, 'health.tls.serverName')))
  // node:tls reports a peer that goes away during the handshake as a reset with this message.
  if (message?.startsWith('Client network socket disconnected') === true) return new StepFailure(step, 'closed')
  if (code !== undefined && code in knownErrors) return new StepFailure(step, knownErrors[code]!, localErrors.has(code))
  // Messages of node:tls quote names of the peer's certificate.
  const text = typeof reason === 'string' && reason !== '' ? reason : (message ?? String(error))
  return new StepFailure(step, asciiOf(text.slice(0, REASON_LENGTH)))
}

function asciiOf(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?')
}
