import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { atEnd, type Cleanup } from './cleanup.ts'

export type DnsRecord =
  | { readonly type: 'A' | 'AAAA'; readonly address: string; readonly ttl: number }
  | {
      readonly type: 'SRV'
      readonly target: string
      readonly port: number
      readonly priority: number
      readonly weight: number
      readonly ttl: number
    }

const typeNumbers = { A: 1, AAAA: 28, SRV: 33 } as const

/** How it answers: from its records, with SERVFAIL, or not at all. */
export type DnsMode = 'answer' | 'fail' | 'silent'

/** A small name server on UDP (RFC 1035): records by name in lower case; a name that it does not have is NXDOMAIN. */
export class DnsServer {
  readonly #socket: Socket
  readonly records = new Map<string, readonly DnsRecord[]>()
  mode: DnsMode = 'answer'
  /** Names for which it fails, whatever its mode. */
  readonly failing = new Set<string>()
  /** Types for which it fails, whatever the name. */
  readonly failingTypes = new Set<DnsRecord['type']>()
  /** Types for which it does not answer, whatever the name. */
  readonly droppedTypes = new Set<DnsRecord['type']>()
  /** Questions it ever got. */
  questions = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', (query, { port, address }) => {
      this.questions++
      const { type } = readQuestion(query)
      const isDropped = [...this.droppedTypes].some((dropped) => typeNumbers[dropped] === type)
      if (this.mode !== 'silent' && !isDropped) socket.send(this.#answer(query), port, address)
    })
  }

  static async start(t: Cleanup): Promise<DnsServer> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    atEnd(t, () => socket.close())
    return new DnsServer(socket)
  }

  /** As the file writes it. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`
  }

  #answer(query: Buffer): Buffer {
    const { name, type, end } = readQuestion(query)
    const known = this.records.get(name)
    const wanted = (known ?? []).filter((record) => typeNumbers[record.type] === type)
    const header = Buffer.alloc(12)
    query.copy(header, 0, 0, 2)
    const fails = [...this.failingTypes].some((failing) => typeNumbers[failing] === type)
    const rcode = fails || this.mode === 'fail' || this.failing.has(name) ? 2 : known === undefined ? 3 : 0
    // A response, authoritative, recursion wanted and available.
    header.writeUInt16BE(0x8580 | rcode, 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(rcode === 0 ? wanted.length : 0, 6)
    const question = query.subarray(12, end + 4)
    return Buffer.concat([header, question, ...(rcode === 0 ? wanted.map(encodeRecord) : [])])
  }
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const { name, end } = readName(query)
  return { name, type: query.readUInt16BE(end), end }
}

function readName(query: Buffer): { name: string; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length).toLowerCase())
    at += 1 + length
  }
  return { name: labels.join('.'), end: at + 1 }
}

function encodeRecord(record: DnsRecord): Buffer {
  const data = encodeData(record)
  const head = Buffer.alloc(12)
  // A pointer to the name of the question.
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(typeNumbers[record.type], 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(record.ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function encodeData(record: DnsRecord): Buffer {
  if (record.type === 'SRV') {
    const numbers = Buffer.alloc(6)
    numbers.writeUInt16BE(record.priority, 0)
    numbers.writeUInt16BE(record.weight, 2)
    numbers.writeUInt16BE(record.port, 4)
    return Buffer.concat([numbers, encodeName(record.target)])
  }
  return isIPv6(record.address) ? encodeIpv6(record.address) : Buffer.from(record.address.split('.').map(Number))
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').filter(Boolean)
  return Buffer.concat([
    ...labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`)),
    Buffer.from([0]),
  ])
}

function encodeIpv6(address: string): Buffer {
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string) => text.split(':').filter(Boolean)
  const zeros = Array.from({ length: 8 - groups(head).length - groups(tail).length }, () => '0')
  const bytes = Buffer.alloc(16)
  for (const [index, group] of [...groups(head), ...zeros, ...groups(tail)].entries()) {
    bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * index)
  }
  return bytes
}
