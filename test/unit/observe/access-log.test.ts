import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { test } from 'node:test'
import { CauseCode, causes } from '#src/model/cause.js'
import { createAccessFormatter } from '#src/observe/access-log.js'
import type { AccessRecord } from '#src/shared/access-record.js'
import { formatRecord, makeAccessRecord } from '../../helpers/access-record-maker.js'

const names = {
  listener: (row: number) => ['edge', 'two words', 'a"b\\c\u0007'][row] ?? '',
  upstream: (row: number) => ['chat', 'größe'][row] ?? '',
  backend: (row: number) => ['10.0.0.1:9100', '10.0.0.2:9100', 'unix:/run/chat.sock'][row] ?? '',
}
const { ECONNREFUSED, ECONNRESET } = constants.errno
const failed: Partial<AccessRecord> = {
  connectMs: Number.NaN,
  backend: -1,
  cause: CauseCode.connectFailed,
  errno: ECONNREFUSED,
  attemptCount: 2,
  attempts: [
    { backend: 0, errno: ECONNREFUSED },
    { backend: 1, errno: ECONNREFUSED },
  ],
}
const format = (kind: 'json' | 'tcplog', changes: Partial<AccessRecord> = {}): string =>
  formatRecord(createAccessFormatter(kind, names), makeAccessRecord(changes))
const parse = (changes?: Partial<AccessRecord>): Record<string, unknown> => JSON.parse(format('json', changes))

test('createAccessFormatter("json") writes every field of a connection that went well', () => {
  assert.ok(format('json').endsWith('}\n'))
  assert.deepEqual(parse(), {
    time: '2009-02-06T12:12:51.443Z',
    listener: 'edge',
    route: 'default',
    client: '10.0.1.2:33313',
    upstream: 'chat',
    backend: '10.0.0.1:9100',
    attempts: [{ backend: '10.0.0.1:9100', error: null }],
    attemptCount: 1,
    connectMs: 1.235,
    totalMs: 5007,
    bytesUp: 17,
    bytesDown: 212,
    cause: 'client-closed',
    by: 'client',
    phase: 'relay',
    error: null,
    generation: 3,
    worker: 1,
  })
})

test('createAccessFormatter("json") writes null for a backend and a time that there was not', () => {
  const parsed = parse(failed)
  assert.equal(parsed.backend, null)
  assert.equal(parsed.connectMs, null)
  assert.equal(parsed.error, 'ECONNREFUSED')
  assert.deepEqual(parsed.attempts, [
    { backend: '10.0.0.1:9100', error: 'ECONNREFUSED' },
    { backend: '10.0.0.2:9100', error: 'ECONNREFUSED' },
  ])
})

test('createAccessFormatter("json") writes IPv6 clients in brackets and as RFC 5952 asks, and unix ones as unix:', () => {
  const client = (words: number[]): unknown => {
    const clientAddress = Uint8Array.from(words.flatMap((word) => [word >> 8, word & 255]))
    return parse({ clientFamily: 10, clientPort: 5, clientAddress }).client
  }
  assert.equal(client([0x2001, 0xdb8, 0, 0, 1, 0, 0, 1]), '[2001:db8::1:0:0:1]:5')
  assert.equal(client([0x2001, 0xdb8, 0, 1, 1, 1, 1, 1]), '[2001:db8:0:1:1:1:1:1]:5')
  assert.equal(client([0x2001, 0, 0, 1, 0, 0, 0, 1]), '[2001:0:0:1::1]:5')
  assert.equal(client([0, 0, 0, 0, 0, 0, 0, 0]), '[::]:5')
  assert.equal(client([0, 0, 0, 0, 0, 0, 0, 1]), '[::1]:5')
  assert.equal(client([0xfe80, 0, 0, 0, 0, 0, 0, 0]), '[fe80::]:5')
  assert.equal(client([0xabcd, 2, 3, 4, 5, 6, 7, 0xf]), '[abcd:2:3:4:5:6:7:f]:5')
  assert.equal(client([0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201]), '[::ffff:192.0.2.1]:5')
  assert.equal(parse({ clientFamily: 1 }).client, 'unix:')
})

test('createAccessFormatter() lets no name break its line', () => {
  assert.equal(parse({ listenerRow: 2 }).listener, 'a"b\\c\u0007')
  assert.equal(parse({ upstreamRow: 1 }).upstream, 'größe')
  assert.match(format('tcplog', { listenerRow: 1 }), /\] two#20words chat\//)
  assert.match(format('tcplog', { upstreamRow: 1 }), /\] edge gr#c3#b6#c3#9fe\//)
})

test('createAccessFormatter("tcplog") writes the fields of HAProxy’s TCP log format', () => {
  const accepted = new Date(2009, 1, 6, 2, 2, 5, 7).getTime()
  assert.equal(
    format('tcplog', { acceptedAt: accepted }),
    '10.0.1.2:33313 [06/Feb/2009:02:02:05.007] edge chat/10.0.0.1:9100 0/1/5007 212 -- 0/0/0/0/0 0/0\n',
  )
  assert.match(format('tcplog', failed), / chat\/10\.0\.0\.2:9100 0\/-1\/5007 212 SC 0\/0\/0\/0\/\+1 0\/0\n$/)
  assert.match(
    format('tcplog', { ...failed, attemptCount: 0, attempts: [] }),
    / chat\/<NOSRV> .* 0\/0\/0\/0\/0 0\/0\n$/,
  )
  assert.match(format('tcplog', { clientFamily: 1 }), /^unix:0 \[/)
  const reset = { cause: CauseCode.backendReset, errno: ECONNRESET }
  assert.match(format('tcplog', reset), / SD 0/)
})

test('createAccessFormatter("tcplog") names the server that was tried last only where it is known', () => {
  assert.match(format('tcplog', { ...failed, attemptCount: 9 }), / chat\/<NOSRV> .*\/\+8 0\/0\n$/)
})

test('createAccessFormatter() names every cause', () => {
  for (const { code, name, tcplog } of causes) {
    assert.equal(parse({ cause: code }).cause, name)
    assert.ok(format('tcplog', { cause: code }).includes(` ${tcplog} 0/`))
  }
})

test('createAccessFormatter() formats dates that share a slot of its cache', () => {
  const formatter = createAccessFormatter('json', names)
  const time = (acceptedAt: number): string =>
    JSON.parse(formatRecord(formatter, makeAccessRecord({ acceptedAt }))).time
  for (const at of [0, 1024_000, 999.9, 2048_001, 1024_000, Date.UTC(2100, 0)]) {
    assert.equal(time(at), new Date(at).toISOString())
  }
  assert.equal(time(Number.NaN), '1970-01-01T00:00:00.000Z')
})
