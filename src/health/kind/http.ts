import { formatAddress, type SocketAddress } from '../../model/address.ts'
import type { HealthConfig } from '../../model/config.ts'
import type { Channel } from '../channel.ts'
import { quoteBytes, StepFailure } from '../reason.ts'
import { type BodyFraming, readBody } from './http-body.ts'

/** Largest status line and headers, together. */
const HEAD_BYTES = 16 * 1024
const tooLargeHead = `a status line and headers of more than ${HEAD_BYTES} bytes`
/** Interim answers (1xx) that may come before the answer. */
const INTERIM_ANSWERS = 8

interface Head {
  readonly status: number
  readonly framing: BodyFraming
}

/** Sends one request (RFC 9112) and looks at the status, and at the body where a text is wanted in it. */
export async function askHttp(channel: Channel, { http }: HealthConfig, address: SocketAddress): Promise<void> {
  channel.step = 'request'
  await channel.send(requestText(http, address))
  channel.step = 'status'
  const head = await readFinalHead(channel)
  if (!http.status.some(({ from, to }) => head.status >= from && head.status <= to))
    throw new StepFailure('status', `expected ${rangesText(http.status)}, got ${head.status}`)
  if (http.body === '') return
  channel.step = 'body'
  const wanted = Buffer.from(http.body)
  const hasBody = http.method !== 'HEAD' && head.status !== 204 && head.status !== 304
  if (!hasBody || !(await readBody(channel, head.framing, wanted)))
    throw new StepFailure('body', `does not contain ${quoteBytes(wanted)}`)
}

function requestText(http: HealthConfig['http'], address: SocketAddress): string {
  const own = address.family === 'unix' ? 'localhost' : formatAddress(address)
  const host = http.host === '' ? own : http.host.replaceAll(/[^\x21-\x7e]/g, '')
  // A path with blanks or line ends would be another request.
  const path = http.path.replaceAll(/[^\x21-\x7e]+/g, encodeURIComponent)
  return `${http.method} ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: mcs-lb\r\nAccept: */*\r\nConnection: close\r\n\r\n`
}

async function readFinalHead(channel: Channel): Promise<Head> {
  for (let answer = 0; answer <= INTERIM_ANSWERS; answer++) {
    const head = await readHead(channel)
    if (head.status >= 200) return head
  }
  throw new StepFailure('status', `more than ${INTERIM_ANSWERS} interim answers`)
}

async function readHead(channel: Channel): Promise<Head> {
  const first = await channel.takeLine(HEAD_BYTES)
  const status = /^HTTP\/1\.\d ([1-5]\d\d)(?: |$)/.exec(first.toString('latin1'))?.[1]
  if (status === undefined)
    throw new StepFailure('status', `expected an HTTP/1.1 status line, got ${quoteBytes(first)}`)
  let leftBytes = HEAD_BYTES - first.length
  let framing: BodyFraming = { type: 'until-close' }
  for (;;) {
    const line = await channel.takeLine(Math.max(0, leftBytes), tooLargeHead)
    if (line.length === 0) return { status: Number(status), framing }
    leftBytes -= line.length + 2
    framing = framingOf(line.toString('latin1'), framing)
  }
}

/** Transfer-Encoding overrules Content-Length, whichever comes first (RFC 9112, 6.3). */
function framingOf(line: string, known: BodyFraming): BodyFraming {
  if (/^transfer-encoding:(?:.*,)?[ \t]*chunked[ \t]*$/i.test(line)) return { type: 'chunked' }
  const length = /^content-length:[ \t]*(\d{1,15})[ \t]*$/i.exec(line)?.[1]
  return length === undefined || known.type === 'chunked' ? known : { type: 'length', bytes: Number(length) }
}

function rangesText(ranges: HealthConfig['http']['status']): string {
  return ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(' or ')
}
