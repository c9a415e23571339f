/** What an answer in RESP2 is made of, errors left out; null for a null string and a null array. */
export type ReplyValue = string | number | null | readonly ReplyValue[]

const slotCount = 16_384
/** No cluster should have more nodes (redis.io, cluster specification). */
const maxNodes = 1000
const hostPattern = /^[A-Za-z0-9._:%-]{1,255}$/
const notScanned = 'it answered a scan as no Redis does'

/** An event of a pattern that is subscribed to: its name, the pattern, the channel and the message. */
export function isMessage(answer: ReplyValue): boolean {
  return isList(answer) && answer.length === 4 && answer[0] === 'pmessage' && answer.every(isText)
}

/** What PSUBSCRIBE is answered with for each pattern: its name, the pattern, and how many there are now. */
export function isSubscription(answer: ReplyValue): boolean {
  if (!isList(answer) || answer.length !== 3) return false
  return answer[0] === 'psubscribe' && isText(answer[1]) && Number.isInteger(answer[2])
}

/** Whether an error leads to a node, `MOVED 3999 10.0.0.1:6379`, and not to nowhere. */
export function isRedirection(text: string): boolean {
  const [, slot, host, port] = /^(?:MOVED|ASK) (\d{1,5}) (.*):(\d{1,5})$/.exec(text) ?? []
  return isSlot(Number(slot)) && isHost(host) && isPort(Number(port))
}

/** What CLUSTER SLOTS is answered with: ranges that do not overlap, each with its nodes, the first the master. */
export function areSlots(answer: ReplyValue): boolean {
  if (!isList(answer)) return false
  const nodes = new Set<string>()
  let slots = 0
  for (const range of answer) {
    if (!isList(range)) return false
    const [first, last, ...ofRange] = range
    if (!isSlot(first) || !isSlot(last) || first > last) return false
    slots += last - first + 1
    for (const node of ofRange) {
      if (!isList(node) || !isNode(node)) return false
      nodes.add(`${node[0]}:${node[1]}`)
    }
    // Each slot is looked at by itself, and each node connected to.
    if (slots > slotCount || nodes.size > maxNodes) return false
  }
  return true
}

/** A host that may be connected to, and its port. A cluster that does not know an address leaves it out. */
function isNode([host, port]: readonly unknown[]): boolean {
  return (host === null || host === '' || isHost(host)) && isPort(port)
}

/** What Sentinel answers where it knows the master: host and port, both as text. */
export function readMaster(answer: unknown): { host: string; port: number } | undefined {
  if (!Array.isArray(answer)) return undefined
  const [host, port] = [answer[0], Number(answer[1])]
  return isHost(host) && isPort(port) ? { host, port } : undefined
}

/** What SCAN and its kind are answered with: where to go on, and a part. @throws {Error} where it is something else. */
export function readScan(answer: unknown): readonly [cursor: string, part: readonly string[]] {
  if (!Array.isArray(answer) || !/^\d{1,20}$/.test(String(answer[0])) || !Array.isArray(answer[1]))
    throw new Error(notScanned)
  const part: readonly unknown[] = answer[1]
  if (!part.every(isText)) throw new Error(notScanned)
  return [String(answer[0]), part]
}

/** The clock of Redis in milliseconds, with a fraction. @throws {Error} where TIME is answered with something else. */
export function readTime(answer: unknown): number {
  const [seconds, microseconds] = Array.isArray(answer) ? answer.map(Number) : []
  const timeMs = (seconds ?? Number.NaN) * 1000 + (microseconds ?? Number.NaN) / 1000
  if (!Number.isFinite(timeMs)) throw new Error('it answered TIME as no Redis does')
  return timeMs
}

function isList(value: unknown): value is readonly ReplyValue[] {
  return Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isHost(value: unknown): value is string {
  return isText(value) && hostPattern.test(value)
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535
}

function isSlot(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < slotCount
}
