import { areSlots, isMessage, isRedirection, isSubscription, type ReplyValue } from './redis-shape.ts'

/**
 * What a command's answer must look like. The client library takes the shape of some answers on trust, and throws
 * where nobody catches when they have another one.
 */
type Expected = 'anything' | 'subscription' | 'slots' | 'database'

/** An array whose elements are not all there yet. */
interface OpenArray {
  left: number
  readonly items: ReplyValue[]
}

/** Of RESP2: simple strings, errors, numbers, strings and arrays. */
const knownTypes = '+-:$*'
const maxDepth = 8
/** Elements of one answer, those of all its arrays together. */
const maxElements = 262_144
/** Of simple strings, errors and numbers. */
const maxLineBytes = 16_384
/** Longest string that is looked into; of a longer one only the end is. */
const maxTextBytes = 1024
/** What a server may send within a second: the client library holds an answer in memory until it is whole. */
const maxBytesASecond = 32 * 1024 * 1024

/**
 * Follows one connection to Redis in both directions, and refuses what is no answer of a Redis to what was asked: types
 * that RESP2 does not have, answers to no question, those that are too large, and those of another shape than the client
 * library expects (redis.io, protocol specification). What it lets pass is for the caller to judge.
 */
export class RedisGuard {
  readonly #expected: Expected[] = []
  #isSubscribed = false
  /** Bytes that are no whole line, or no whole short string, yet. */
  #rest: Buffer = Buffer.alloc(0)
  readonly #open: OpenArray[] = []
  /** Bytes of a string that are still to come, without its line end; -1 where none is under way. */
  #stringLeft = -1
  /** Whether the answer under way is looked into. */
  #isKept = false
  #elements = 0
  #bytesInSecond = 0
  #secondEndsMs = 0

  /** @param bytes Whole commands, as the client library writes them. */
  sent(bytes: Buffer): void {
    for (const { name, argument, words } of commandsIn(bytes)) {
      if (name === 'psubscribe') for (let index = 1; index < words; index++) this.#expected.push('subscription')
      else if (name === 'select') this.#expected.push('database')
      else this.#expected.push(name === 'cluster' && argument === 'slots' ? 'slots' : 'anything')
    }
  }

  /**
   * @param nowMs Of a clock that does not jump.
   * @throws {Error} with the reason, where the connection is to be given up before anybody acts on the bytes.
   */
  received(chunk: Buffer, nowMs: number): void {
    this.#limit(chunk.length, nowMs)
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (at < bytes.length) {
      if (this.#stringLeft > maxTextBytes) {
        const passing = Math.min(this.#stringLeft - maxTextBytes, bytes.length - at)
        this.#stringLeft -= passing
        at += passing
        continue
      }
      const next = this.#stringLeft >= 0 ? this.#endString(bytes, at) : this.#line(bytes, at)
      if (next === undefined) break
      at = next
    }
    // A copy, as a part would keep the whole chunk in memory.
    this.#rest = Buffer.from(bytes.subarray(at))
  }

  #limit(bytes: number, nowMs: number): void {
    if (nowMs >= this.#secondEndsMs) {
      this.#bytesInSecond = 0
      this.#secondEndsMs = nowMs + 1000
    }
    this.#bytesInSecond += bytes
    if (this.#bytesInSecond > maxBytesASecond)
      throw new Error(`it sent more than ${maxBytesASecond} bytes within a second`)
  }

  /** Where the line that begins here ends; undefined where its end is not there yet. */
  #line(bytes: Buffer, at: number): number | undefined {
    const end = bytes.indexOf('\r', at)
    const length = (end < 0 ? bytes.length : end) - at
    // Before the line is whole: the client library gets the bytes that are here, and has no good word for such a type.
    this.#checkType(bytes, at)
    if (length > maxLineBytes) throw notRedis('a line that is too long')
    if (end < 0 || end + 1 === bytes.length) return undefined
    if (bytes[end + 1] !== 0x0a) throw notRedis('a line without its end')
    const line = bytes.toString('latin1', at, end)
    this.#take(line.slice(0, 1), line.slice(1))
    return end + 2
  }

  #checkType(bytes: Buffer, at: number): void {
    const type = bytes.toString('latin1', at, at + 1)
    if (knownTypes.includes(type)) return
    // Every record of TLS begins with its type and version (RFC 8446, 5.1); 21 is an alert.
    if (type === '\u0015') throw new Error('it speaks TLS there; write rediss:// in the URL')
    throw notRedis(`the type ${JSON.stringify(type)}`)
  }

  #endString(bytes: Buffer, at: number): number | undefined {
    const end = at + this.#stringLeft
    if (bytes.length < end + 2) return undefined
    if (bytes[end] !== 0x0d || bytes[end + 1] !== 0x0a) throw notRedis('a string without its end')
    this.#stringLeft = -1
    this.#put(this.#isKept ? bytes.toString('utf8', at, end) : '')
    return end + 2
  }

  #take(type: string, text: string): void {
    if (this.#open.length === 0) this.#begin(type, text)
    if (type === '+') this.#put(text)
    else if (type === '-') this.#takeError(text)
    else if (type === ':') this.#put(toNumber(text))
    else if (type === '$') this.#beginString(toNumber(text))
    else this.#beginArray(toNumber(text))
  }

  #begin(type: string, text: string): void {
    const expected = this.#expected[0]
    if (expected === undefined && !this.#isSubscribed) {
      // So a server says that it takes no connection now.
      throw type === '-' ? new Error(text) : notRedis('an answer to no question')
    }
    this.#isKept = this.#isSubscribed || expected !== 'anything'
    this.#elements = 0
  }

  #takeError(text: string): void {
    if (this.#open.length > 0) throw notRedis('an error within an answer')
    const expected = this.#expected.shift()
    if (expected === undefined) throw new Error(text)
    // The client library would go on in database 0, which is somebody else's.
    if (expected === 'database') throw new Error(`it does not let us use the database of the URL: ${text}`)
    if (/^(?:MOVED|ASK)\b/.test(text) && !isRedirection(text)) throw notRedis('a redirection to nowhere')
  }

  #beginString(length: number): void {
    if (length === -1) this.#put(null)
    else if (length < 0) throw notRedis('a string of an impossible length')
    else if (length > maxBytesASecond) throw new Error(`it sent a string of more than ${maxBytesASecond} bytes`)
    else this.#stringLeft = length
  }

  #beginArray(length: number): void {
    this.#elements += Math.max(0, length)
    if (length < -1 || this.#elements > maxElements || this.#open.length === maxDepth)
      throw notRedis('an array that is too large or too deep')
    if (length > 0) this.#open.push({ left: length, items: [] })
    else this.#put(length === 0 ? [] : null)
  }

  /** A value is whole, and so may be the arrays that end with it. */
  #put(value: ReplyValue): void {
    let whole = value
    for (let array = this.#open.at(-1); array !== undefined; array = this.#open.at(-1)) {
      if (this.#isKept) array.items.push(whole)
      if (--array.left > 0) return
      this.#open.pop()
      whole = array.items
    }
    this.#judge(whole)
  }

  #judge(answer: ReplyValue): void {
    if (this.#isSubscribed && isMessage(answer)) return
    const expected = this.#expected.shift()
    if (expected === undefined) throw notRedis('a message that is none')
    if (expected === 'slots' && !areSlots(answer)) throw notRedis('slots of no cluster')
    if (expected !== 'subscription') return
    if (!isSubscription(answer)) throw notRedis('a subscription that is none')
    this.#isSubscribed = true
  }
}

function notRedis(what: string): Error {
  return new Error(`it does not speak as Redis does: it sent ${what}`)
}

function toNumber(text: string): number {
  if (!/^-?\d{1,19}$/.test(text)) throw notRedis('a number that is none')
  return Number(text)
}

interface SentCommand {
  /** In lower case, as is the argument. */
  readonly name: string
  readonly argument: string
  /** The name and all arguments. */
  readonly words: number
}

/** The client library's own writing needs no doubt: `*2`, `$4`, `ping`, `$1`, `x`, with line ends. */
function* commandsIn(bytes: Buffer): Generator<SentCommand> {
  let at = 0
  const number = (): number => {
    const end = bytes.indexOf('\r', at)
    const value = Number(bytes.toString('latin1', at + 1, end))
    at = end + 2
    return value
  }
  while (at < bytes.length) {
    const words = number()
    const first: string[] = []
    for (let index = 0; index < words; index++) {
      const length = number()
      if (index < 2) first.push(bytes.toString('latin1', at, at + Math.min(length, 16)).toLowerCase())
      at += length + 2
    }
    yield { name: first[0] ?? '', argument: first[1] ?? '', words }
  }
}
