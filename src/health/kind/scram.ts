import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { StepFailure } from '../reason.ts'

/** Rounds of hashing that a server may ask for; PostgreSQL asks for 4,096. Above it a server could hold us up. */
const MAX_ITERATIONS = 200_000
/** Derived keys that are kept: one for each server and password. */
const KEPT_KEYS = 4096

const derive = promisify(pbkdf2)
/** Deriving costs a millisecond or more, so it is done once for each salt. */
const saltedPasswords = new Map<string, Promise<Buffer>>()

/** One login by SCRAM-SHA-256 without channel binding (RFC 5802, RFC 7677), the client's side. */
export class ScramClient {
  readonly #password: string
  readonly #nonce = randomBytes(18).toString('base64')
  #serverSignature: Buffer | null = null
  #isVerified = false

  constructor(password: string) {
    this.#password = prepare(password)
  }

  /** The client-first-message. PostgreSQL takes the name of the user from the startup message. */
  first(): Buffer {
    return Buffer.from(`n,,${this.#bareFirst()}`)
  }

  /** The client-final-message for a server-first-message. */
  async final(serverFirst: Buffer): Promise<Buffer> {
    const text = serverFirst.toString('latin1')
    const [, nonce = '', salt = '', count = ''] =
      /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=(\d{1,9})$/.exec(text) ?? []
    const iterations = Number(count)
    if (!nonce.startsWith(this.#nonce) || nonce.length <= this.#nonce.length)
      throw new StepFailure('login', 'the server does not speak SCRAM: its nonce is not ours')
    if (iterations < 1 || iterations > MAX_ITERATIONS)
      throw new StepFailure(
        'login',
        `the server asks for ${count} rounds of hashing; ${MAX_ITERATIONS} are done at most`,
      )
    const salted = await saltPassword(this.#password, salt, iterations)
    const withoutProof = `c=biws,r=${nonce}`
    const exchange = `${this.#bareFirst()},${text},${withoutProof}`
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), exchange)
    return Buffer.from(`${withoutProof},p=${proofOf(salted, exchange).toString('base64')}`)
  }

  /** Looks whether the server knows the password too. */
  verify(serverFinal: Buffer): void {
    const given = Buffer.from(/^v=([A-Za-z0-9+/=]+)/.exec(serverFinal.toString('latin1'))?.[1] ?? '', 'base64')
    const expected = this.#serverSignature
    if (expected === null || given.length !== expected.length || !timingSafeEqual(given, expected))
      throw new StepFailure('login', 'the server does not know the password')
    this.#isVerified = true
  }

  /** Whether the server still owes its proof: one that was given ours may not let us in without it. */
  get isOwedProof(): boolean {
    return this.#serverSignature !== null && !this.#isVerified
  }

  #bareFirst(): string {
    return `n=,r=${this.#nonce}`
  }
}

function proofOf(salted: Buffer, exchange: string): Buffer {
  const clientKey = hmac(salted, 'Client Key')
  const signature = hmac(createHash('sha256').update(clientKey).digest(), exchange)
  return Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]!))
}

function saltPassword(password: string, salt: string, iterations: number): Promise<Buffer> {
  const key = createHash('sha256').update(`${salt} ${iterations} ${password}`).digest('base64')
  const known = saltedPasswords.get(key)
  if (known !== undefined) return known
  const oldest = saltedPasswords.keys().next().value
  if (saltedPasswords.size >= KEPT_KEYS && oldest !== undefined) saltedPasswords.delete(oldest)
  const derived = derive(password, Buffer.from(salt, 'base64'), iterations, 32, 'sha256')
  saltedPasswords.set(key, derived)
  return derived
}

/** What SASLprep (RFC 4013) makes of passwords in use: other blanks are blanks, invisible signs go, and then NFKC. */
function prepare(password: string): string {
  return password
    .replaceAll(/[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g, ' ')
    .replaceAll(/\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200b-\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/g, '')
    .normalize('NFKC')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
