import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type TestContext } from 'node:test'
import { probe } from '#src/health/probe.js'
import type { HealthConfig } from '#src/model/config.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { loopback, makeHealth, startBackend, told } from './fixture.ts'

function makeHttp(changes: Partial<HealthConfig['http']> = {}, timeoutMs = 5000): HealthConfig {
  return makeHealth({ type: 'http', timeoutMs, http: { ...makeHealth().http, ...changes } })
}

/** What a check says of a backend that gives this answer, in pieces, and then waits unless it is to close. */
async function toldOf(t: TestContext, answer: string | readonly string[], config: HealthConfig, isClosed = false) {
  const address = await startBackend(t, (socket) => {
    socket.setNoDelay()
    socket.once('data', async () => {
      for (const piece of [answer].flat()) await new Promise((resolve) => socket.write(piece, resolve))
      if (isClosed) socket.end()
    })
  })
  return told(await probe(address, config))
}

const ok = 'HTTP/1.1 200 OK\r\n'

test('probe() of http asks a real server as it is told, and looks at status and body', async (t) => {
  const asked: unknown[] = []
  const server = createServer((request, response) => {
    asked.push([request.method, request.url, request.headers.host, request.headers.connection])
    // Without a length the body is chunked.
    response.writeHead(request.url === '/gone' ? 503 : 200)
    response.write('all is')
    response.end(' well')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(t, () => server.close())
  const { port } = server.address() as AddressInfo
  const check = async (changes: Partial<HealthConfig['http']>) => told(await probe(loopback(port), makeHttp(changes)))
  assert.equal(await check({ path: '/a b', body: 'all is well', host: 'chat.test' }), 'ok')
  assert.equal(await check({ method: 'HEAD' }), 'ok')
  assert.equal(await check({ body: 'ill' }), 'body: does not contain "ill"')
  assert.equal(await check({ path: '/gone' }), 'status: expected 200-399, got 503')
  assert.equal(await check({ path: '/gone', status: [{ from: 503, to: 503 }] }), 'ok')
  assert.deepEqual(asked.slice(0, 2), [
    ['GET', '/a%20b', 'chat.test', 'close'],
    ['HEAD', '/', `127.0.0.1:${port}`, 'close'],
  ])
})

test('probe() of http names every range of status codes that it was told', async (t) => {
  const status = [
    { from: 200, to: 200 },
    { from: 300, to: 399 },
  ]
  assert.equal(
    await toldOf(t, 'HTTP/1.1 404 \r\n\r\n', makeHttp({ status })),
    'status: expected 200 or 300-399, got 404',
  )
})

test('probe() of http follows no redirect', async (t) => {
  assert.equal(await toldOf(t, 'HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n', makeHttp()), 'ok')
})

test('probe() of http skips interim answers, and not for ever', async (t) => {
  const interim = 'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n'
  assert.equal(await toldOf(t, `${interim}${ok}\r\n`, makeHttp()), 'ok')
  assert.equal(await toldOf(t, interim.repeat(20), makeHttp()), 'status: more than 8 interim answers')
})

test('probe() of http finds a text that lies across chunks and packets', async (t) => {
  const head = `${ok}Transfer-Encoding: chunked\r\n\r\n`
  const pieces = [head, '3;x=y\r\n{"h', '\r\n', '5\r\nealt', 'h\r\n1\r\n"\r\n0\r\n\r\n']
  assert.equal(await toldOf(t, pieces, makeHttp({ body: '{"health"' })), 'ok')
  assert.equal(await toldOf(t, pieces, makeHttp({ body: '5\r\n' })), String.raw`body: does not contain "5\r\n"`)
})

test('probe() of http looks at the body up to its length, or to the end of the connection', async (t) => {
  const config = makeHttp({ body: 'well' })
  assert.equal(await toldOf(t, `${ok}Content-Length: 4\r\n\r\nwell`, config), 'ok')
  assert.equal(await toldOf(t, `${ok}Content-Length: 3\r\n\r\nwell`, config), 'body: does not contain "well"')
  assert.equal(await toldOf(t, `${ok}\r\nall is well`, config, true), 'ok')
  assert.equal(await toldOf(t, `${ok}\r\nall is wel`, config, true), 'body: does not contain "well"')
})

test('probe() of http is good as soon as the text has come', async (t) => {
  assert.equal(await toldOf(t, `${ok}Content-Length: 1000\r\n\r\nall is well`, makeHttp({ body: 'well' })), 'ok')
})

test('probe() of http waits for the rest of a body to its deadline', async (t) => {
  const result = await toldOf(t, `${ok}Content-Length: 1000\r\n\r\nwel`, makeHttp({ body: 'well' }, 250))
  assert.equal(result, 'body: no answer within 250 ms')
})

test('probe() of http looks at 64 KiB of a body', async (t) => {
  const config = makeHttp({ body: 'end' })
  const body = (length: number) => `${ok}\r\n${'a'.repeat(length)}end${'a'.repeat(65_536)}`
  assert.equal(await toldOf(t, body(65_533), config), 'ok')
  assert.equal(await toldOf(t, body(65_534), config), 'body: does not contain "end"')
})

test('probe() of http refuses what is not HTTP', async (t) => {
  const expected = 'status: expected an HTTP/1.1 status line, got'
  assert.equal(await toldOf(t, '-ERR unknown command\r\n', makeHttp()), `${expected} "-ERR unknown command"`)
  assert.equal(await toldOf(t, 'HTTP/1.1 999 \r\n\r\n', makeHttp()), `${expected} "HTTP/1.1 999 "`)
  assert.equal(await toldOf(t, 'HTTP/1.1 200', makeHttp(), true), 'status: closed after "HTTP/1.1 200"')
})

test('probe() of http bounds the head of an answer', async (t) => {
  assert.equal(await toldOf(t, 'a'.repeat(70_000), makeHttp()), 'status: a line of more than 16384 bytes')
  const tooLarge = 'status: a status line and headers of more than 16384 bytes'
  assert.equal(await toldOf(t, ok + 'a: b\r\n'.repeat(20_000), makeHttp()), tooLarge)
  assert.equal(await toldOf(t, `${ok}a: ${'b'.repeat(16_300)}\r\nc: ${'d'.repeat(100)}\r\n\r\n`, makeHttp()), tooLarge)
  const longChunk = `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n`
  assert.equal(await toldOf(t, longChunk, makeHttp({ body: 'xyz' })), 'body: a chunk that is longer than it says')
})

test('probe() of http refuses chunks whose size is none', async (t) => {
  const head = `${ok}Transfer-Encoding: chunked\r\n\r\n`
  const config = makeHttp({ body: 'x' })
  assert.equal(await toldOf(t, `${head}-1\r\n`, config), 'body: expected the size of a chunk, got "-1"')
  assert.equal(await toldOf(t, `${head}fffffffff\r\n`, config), 'body: expected the size of a chunk, got "fffffffff"')
  assert.equal(await toldOf(t, `${head}5\r\nab`, config, true), 'body: closed within a chunk')
})
