import { describeNameMismatch, type NameMismatch } from '../model/certificate-name.ts'

/** What the options are called that a remedy names. */
export interface OptionNames {
  readonly ca: string
  readonly serverName: string
}

const namesInFile: OptionNames = { ca: 'tls.ca', serverName: 'tls.serverName' }

/** Of what others say; a remedy of ours comes behind it. */
const maxReasonCharacters = 200

/** Codes of OpenSSL for a certificate that nobody vouches for who is trusted. */
const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** What OpenSSL says of a first answer that is no TLS. */
const notTls = /wrong version number|packet length too long|http request|unexpected message/i

/**
 * Why a connection or a command failed, and what would do, in one line. Errors of ioredis carry their command with its
 * arguments; only the message is taken, and what is secret goes.
 */
export function describeFailure(error: unknown, secrets: readonly string[], names: OptionNames = namesInFile): string {
  const show = (text: string) => harmless(text, secrets)
  const code = codeOf(error)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return describeNameMismatch(error as NameMismatch, names.serverName, show)
  const text = error instanceof Error ? error.message || nestedMessage(error) : String(error)
  if (/^(?:ERR_SSL_|EPROTO$)/.test(code) && notTls.test(text))
    return 'no TLS is spoken there; write redis:// in the URL'
  const reason = show(text)
  return untrusted.has(code) ? `${reason}; set ${names.ca} to a file with the certificate of its authority` : reason
}

/** Whether all that the client library says is that there was no connection for a command, or none any more. */
export function isUnsent(error: unknown): boolean {
  const message = error instanceof Error ? error.message : ''
  return /enableOfflineQueue options is false|max retries per request|^Connection is closed/.test(message)
}

/** Whether Redis has answered that it does not do what it was told to. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}

/** Of a cluster none of whose nodes tells the slots, what the last one said, or why there is no connection to it. */
export function causeOf(error: unknown, lastFailure: unknown): unknown {
  if (isUnsent(error)) return lastFailure ?? new Error('there is no connection')
  if (!(error instanceof Error && 'lastNodeError' in error)) return error
  const { lastNodeError: cause } = error
  return cause instanceof Error && !isUnsent(cause) ? cause : (lastFailure ?? error)
}

/** What an access rule of Redis must allow a user, and which option fits a key of another type. */
export interface KeyNeeds {
  /** `+scan ~mcs:node:*` */
  readonly rule: string
  /** `write type: redis-keys` */
  readonly otherType: string
}

/** A reason of {@link describeFailure} with what would do where Redis refused the command or its key. */
export function withKeyRemedy(reason: string, { rule, otherType }: KeyNeeds): string {
  if (reason.startsWith('NOPERM')) return `${reason}; its user needs ${rule}`
  return reason.startsWith('WRONGTYPE') ? `${reason}; ${otherType}` : reason
}

function harmless(text: string, secrets: readonly string[]): string {
  let shown = text
  for (const secret of secrets) shown = shown.replaceAll(secret, '***')
  // What a server says must not act on a terminal.
  return shown.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, maxReasonCharacters)
}

/** Of the error, or of that which it tells of. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  if ('code' in error) return String(error.code)
  return error.cause === undefined ? '' : codeOf(error.cause)
}

/** Node names no reason in an AggregateError, but in those that it holds. */
function nestedMessage(error: Error): string {
  const [first] = error instanceof AggregateError ? error.errors : []
  return first instanceof Error ? first.message : error.name
}
