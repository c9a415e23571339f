import { createHash } from 'node:crypto'
import type { HealthConfig } from '../../model/config.ts'
import type { Channel } from '../channel.ts'
import { quoteAnswer, quoteBytes, StepFailure } from '../reason.ts'
import { ScramClient } from './scram.ts'

/** Largest message of the server. */
const MESSAGE_BYTES = 16 * 1024
/** Messages of the server to one question; a login brings about twenty. */
const MESSAGES = 200

/** Version 3.0 of the protocol, and the code of an SSLRequest in its place. */
const PROTOCOL_VERSION = 196_608
const SSL_REQUEST = 80_877_103

/** What the server asks for in an `R` message (postgresql.org, 55.7 Message Formats). */
const Authentication = { ok: 0, cleartext: 3, md5: 5, sasl: 10, saslContinue: 11, saslFinal: 12 } as const

const roleNames: Readonly<Record<string, string>> = { t: 'standby', f: 'primary' }

interface Message {
  /** One character. */
  readonly type: string
  readonly body: Buffer
}

/** Logs in, and asks for the role where one is wanted, in PostgreSQL's own protocol. */
export async function askPostgres(channel: Channel, { postgres }: HealthConfig): Promise<void> {
  channel.step = 'login'
  const { user, database, password } = postgres
  const startup = `user\0${user}\0database\0${database}\0application_name\0mcs-lb\0\0`
  await channel.send(withLength(int32(PROTOCOL_VERSION), Buffer.from(startup)))
  await authenticate(channel, user, password)
  await readUntil(channel, 'Z', password)
  if (postgres.role !== 'any') {
    channel.step = 'role'
    await expectRole(channel, postgres.role, password)
  }
  // The server would log a connection that ends without a word.
  await channel.send(message('X'))
}

/** Asks for TLS; the handshake comes next. Nothing may follow the server's one byte in plain. */
export async function requestTls(channel: Channel): Promise<void> {
  await channel.send(withLength(int32(SSL_REQUEST)))
  const answer = await channel.take(1)
  if (answer.toString('latin1') !== 'S')
    throw new StepFailure('tls', answer.toString('latin1') === 'N' ? 'not offered' : `got ${quoteBytes(answer)}`)
}

async function authenticate(channel: Channel, user: string, password: string): Promise<void> {
  const scram = new ScramClient(password)
  // At most three of the server's messages ask for an answer, with SCRAM.
  for (let round = 0; round < 4; round++) {
    const { body } = await readUntil(channel, 'R', password)
    const kind = body.length >= 4 ? body.readInt32BE(0) : -1
    if (kind === Authentication.ok) {
      if (scram.isOwedProof) throw new StepFailure('login', 'the server does not prove that it knows the password')
      return
    }
    const reply = await answerTo(kind, body.subarray(4), user, password, scram)
    if (reply !== null) await channel.send(message('p', reply))
  }
  throw new StepFailure('login', 'the server does not come to an end')
}

/** What is said to an authentication message; null for nothing. */
async function answerTo(kind: number, data: Buffer, user: string, password: string, scram: ScramClient) {
  if (kind === Authentication.saslFinal) {
    scram.verify(data)
    return null
  }
  if (password === '') throw new StepFailure('login', 'the server asks for a password, and none is configured')
  if (kind === Authentication.cleartext) return Buffer.from(`${password}\0`)
  if (kind === Authentication.md5) return Buffer.from(`${md5Answer(user, password, data.subarray(0, 4))}\0`)
  if (kind === Authentication.sasl) {
    if (!data.toString('latin1').split('\0').includes('SCRAM-SHA-256'))
      throw new StepFailure('login', `the server offers no SCRAM-SHA-256 but ${quoteBytes(data)}`)
    const first = scram.first()
    return Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), int32(first.length), first])
  }
  if (kind === Authentication.saslContinue) return scram.final(data)
  throw new StepFailure('login', `the server asks for authentication of kind ${kind}, which checks do not speak`)
}

function md5Answer(user: string, password: string, salt: Buffer): string {
  const inner = createHash('md5').update(`${password}${user}`).digest('hex')
  return `md5${createHash('md5').update(inner).update(salt).digest('hex')}`
}

async function expectRole(channel: Channel, wanted: 'primary' | 'standby', secret: string): Promise<void> {
  await channel.send(message('Q', Buffer.from('SELECT pg_catalog.pg_is_in_recovery()\0')))
  const { body } = await readUntil(channel, 'D', secret)
  // One column: its count, its length, and one character.
  const role = body.length === 7 && body.readInt16BE(0) === 1 ? roleNames[body.toString('latin1', 6)] : undefined
  if (role === undefined) throw new StepFailure('role', `expected t or f, got ${quoteBytes(body)}`)
  if (role !== wanted) throw new StepFailure('role', `expected ${wanted}, got ${role}`)
}

/** The next message of a type; those before it are skipped, and an error of the server is the end. */
async function readUntil(channel: Channel, type: string, secret: string): Promise<Message> {
  for (let count = 0; count < MESSAGES; count++) {
    const next = await readMessage(channel)
    if (next.type === type) return next
    if (next.type === 'E') throw new StepFailure(channel.step, errorText(next.body, secret))
  }
  throw new StepFailure(channel.step, `no ${quoteBytes(Buffer.from(type))} among ${MESSAGES} messages`)
}

async function readMessage(channel: Channel): Promise<Message> {
  const head = await channel.take(5)
  const type = head.toString('latin1', 0, 1)
  const bytes = head.readInt32BE(1) - 4
  if (bytes < 0 || bytes > MESSAGE_BYTES || !/^[A-Za-z]$/.test(type))
    throw new StepFailure(channel.step, `expected a message of PostgreSQL, got ${quoteBytes(head)}`)
  return { type, body: await channel.take(bytes) }
}

/** Severity, code and text of an ErrorResponse: `FATAL 57P03 "the database system is starting up"`. */
function errorText(body: Buffer, secret: string): string {
  const fields = new Map(splitFields(body))
  const word = (key: string) => (fields.get(key)?.toString('latin1') ?? '').replaceAll(/[^A-Z0-9]/g, '').slice(0, 16)
  return `${word('V')} ${word('C')} ${quoteAnswer(fields.get('M') ?? Buffer.alloc(0), secret)}`.trim()
}

function* splitFields(body: Buffer): Generator<[string, Buffer]> {
  let at = 0
  while (at < body.length && body[at] !== 0) {
    const end = body.indexOf(0, at)
    if (end < 0) return
    yield [String.fromCharCode(body[at]!), body.subarray(at + 1, end)]
    at = end + 1
  }
}

function message(type: string, body: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from(type), withLength(body)])
}

/** The length counts itself. */
function withLength(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([int32(body.length + 4), body])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
