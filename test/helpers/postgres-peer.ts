import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'

/** How a server of PostgreSQL's protocol behaves that is not quite as it should be. */
export interface PostgresPeerOptions {
  /** The password that it knows. */
  readonly password: string
  readonly iterations?: number
  /** What is sent in place of the answer to the question for the role. */
  readonly answer?: Buffer
  /** Put before the nonce, so that it is not the client's any more. */
  readonly noncePrefix?: string
  /** Whether it accepts any proof, and gives its own by the password that it knows. */
  readonly acceptsAny?: boolean
  /** Whether it accepts any proof, and gives none. */
  readonly provesNothing?: boolean
}

/**
 * Speaks the server's side of PostgreSQL's protocol, with SCRAM-SHA-256 (postgresql.org, 55.2 Message Flow, and RFC 5802),
 * on a connection: for machines without PostgreSQL, and for servers that PostgreSQL is not.
 */
export function servePostgres(socket: Socket, options: PostgresPeerOptions): void {
  let received = Buffer.alloc(0)
  let isStarted = false
  const scram = new ScramServer(options)
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    for (;;) {
      const at = isStarted ? 1 : 0
      if (received.length < at + 4 || received.length < at + received.readInt32BE(at)) return
      const end = at + received.readInt32BE(at)
      const [type, body] = [isStarted ? received.toString('latin1', 0, 1) : '', received.subarray(at + 4, end)]
      received = received.subarray(end)
      isStarted = true
      socket.write(replyTo(type, body, scram, options))
    }
  })
}

/** A message of the server. */
export function postgresMessage(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body])
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function replyTo(type: string, body: Buffer, scram: ScramServer, options: PostgresPeerOptions): Buffer {
  if (type === '') return postgresMessage('R', int32(10), 'SCRAM-SHA-256\0\0')
  if (type === 'p') return scram.replyTo(body)
  const row = Buffer.concat([Buffer.from([0, 1]), int32(1), Buffer.from('f')])
  if (type === 'Q')
    return options.answer ?? Buffer.concat([postgresMessage('T', Buffer.alloc(2)), postgresMessage('D', row)])
  return Buffer.alloc(0)
}

/** The server's side of SCRAM-SHA-256. */
class ScramServer {
  readonly #options: PostgresPeerOptions
  readonly #salt = randomBytes(16)
  #bareFirst = ''
  #first = ''

  constructor(options: PostgresPeerOptions) {
    this.#options = options
  }

  replyTo(body: Buffer): Buffer {
    if (this.#first !== '') return this.#finish(body.toString('latin1'))
    this.#bareFirst = body.toString('latin1').split('n,,')[1] ?? ''
    const nonce = this.#bareFirst.split('r=')[1]
    const { iterations = 4096, noncePrefix = '' } = this.#options
    this.#first = `r=${noncePrefix}${nonce}${randomBytes(12).toString('base64')},s=${this.#salt.toString('base64')},i=${iterations}`
    return postgresMessage('R', int32(11), this.#first)
  }

  #finish(final: string): Buffer {
    const ready = [postgresMessage('R', int32(0)), postgresMessage('S', 'a\0b\0'), postgresMessage('Z', 'I')]
    if (this.#options.provesNothing === true) return Buffer.concat(ready)
    const [withoutProof = '', proof = ''] = final.split(',p=')
    const { password, iterations = 4096, acceptsAny = false } = this.#options
    const salted = pbkdf2Sync(password, this.#salt, iterations, 32, 'sha256')
    const exchange = `${this.#bareFirst},${this.#first},${withoutProof}`
    const storedKey = sha256(hmac(salted, 'Client Key'))
    const signature = hmac(storedKey, exchange)
    const clientKey = Buffer.from(Buffer.from(proof, 'base64').map((byte, index) => byte ^ signature[index]!))
    if (!acceptsAny && !sha256(clientKey).equals(storedKey))
      return postgresMessage('E', 'SFATAL\0VFATAL\0C28P01\0Mthe password is wrong\0\0')
    const verifier = hmac(hmac(salted, 'Server Key'), exchange).toString('base64')
    return Buffer.concat([postgresMessage('R', int32(12), `v=${verifier}`), ...ready])
  }
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
