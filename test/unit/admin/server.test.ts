import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { adminRequest } from '#src/admin/client.js'
import { adminLimits } from '#src/admin/server.js'
import type { ReloadResult } from '#src/control/service.js'
import { McsError } from '#src/model/errors.js'
import { holdReload, sampleStatus } from './fake-service.ts'
import { openSocket, readAll, sendRaw, startTestAdmin } from './harness.ts'

test('GET /status answers the status of the service', async (t) => {
  const { socket } = await startTestAdmin(t)
  assert.deepEqual(await adminRequest(socket, 'GET', '/status'), { status: 200, body: sampleStatus })
})

test('GET /healthz answers 200 only while serving', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  assert.deepEqual(await adminRequest(socket, 'GET', '/healthz'), { status: 200, body: { state: 'serving' } })
  service.currentStatus = { ...sampleStatus, state: 'draining' }
  assert.deepEqual(await adminRequest(socket, 'GET', '/healthz'), { status: 503, body: { state: 'draining' } })
})

test('POST /reload answers once the reload has ended', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  const reload = holdReload(service)
  let answered = false
  const answer = adminRequest(socket, 'POST', '/reload').finally(() => {
    answered = true
  })
  await reload.asked
  assert.equal(answered, false)
  const result = { outcome: 'serving', generation: 4, durationMs: 5, warnings: ['one'] } as const
  reload.finish(result)
  assert.deepEqual(await answer, { status: 200, body: result })
})

test('POST /reload answers 422 with the errors of a refused file', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  const refused: ReloadResult = {
    outcome: 'refused',
    generation: 3,
    errors: [{ code: 'MCS_CONFIG_INVALID', message: 'unknown key "lisen"', hint: 'did you mean "listen"?' }],
  }
  service.onReload = async () => refused
  assert.deepEqual(await adminRequest(socket, 'POST', '/reload'), { status: 422, body: refused })
})

test('POST /reopen answers 500 with the code of what failed', async (t) => {
  const { socket, service, errors } = await startTestAdmin(t)
  assert.deepEqual(await adminRequest(socket, 'POST', '/reopen'), { status: 200, body: { outcome: 'reopened' } })
  service.onReopen = async () => {
    throw new McsError('MCS_LOG_UNWRITABLE', 'Cannot open the log', { source: 'system' })
  }
  assert.deepEqual(await adminRequest(socket, 'POST', '/reopen'), {
    status: 500,
    body: { error: { code: 'MCS_LOG_UNWRITABLE', message: 'Cannot open the log' } },
  })
  assert.deepEqual(errors, ['An admin request failed'])
})

test('startAdmin() answers 500 without details where the service throws something unknown', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  service.onReload = () => {
    throw new TypeError('secret detail')
  }
  const { status, body } = await adminRequest(socket, 'POST', '/reload')
  assert.equal(status, 500)
  assert.doesNotMatch(JSON.stringify(body), /secret/)
})

test('startAdmin() answers an unknown path with 404 and a wrong method with 405 and Allow', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  assert.equal((await adminRequest(socket, 'GET', '/__proto__')).status, 404)
  const answer = await sendRaw(socket, 'GET /reload HTTP/1.1\r\nHost: x\r\n\r\n')
  assert.match(answer, /^HTTP\/1\.1 405 /)
  assert.match(answer, /\r\nallow: POST\r\n/)
  assert.equal(service.reloads, 0)
})

test('startAdmin() refuses a body above 1 KiB, announced or chunked', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  const announced = await sendRaw(socket, 'POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1025\r\n\r\n')
  assert.match(announced, /^HTTP\/1\.1 413 /)
  const chunk = `401\r\n${'x'.repeat(0x401)}\r\n`
  const chunked = await sendRaw(
    socket,
    `POST /reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`,
  )
  assert.match(chunked, /^HTTP\/1\.1 413 /)
  assert.equal(service.reloads, 0)
})

test('startAdmin() takes a body of 1 KiB and ignores it', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  const body = 'x'.repeat(1024)
  const answer = await sendRaw(socket, `POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1024\r\n\r\n${body}`)
  assert.match(answer, /^HTTP\/1\.1 200 /)
  assert.equal(service.reloads, 1)
})

test('startAdmin() serves one request of a pipeline', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  await sendRaw(socket, 'POST /reload HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100))
  assert.equal(service.reloads, 1)
})

test('startAdmin() survives garbage and goes on answering', async (t) => {
  const { socket, errors } = await startTestAdmin(t)
  assert.match(await sendRaw(socket, '\x00\xff\r\n\r\n'), /^HTTP\/1\.1 400 /)
  assert.match(await sendRaw(socket, `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 431 /)
  assert.equal((await adminRequest(socket, 'GET', '/healthz')).status, 200)
  assert.deepEqual(errors, [])
})

test('startAdmin() survives a client that leaves before the answer', async (t) => {
  const { socket, service, errors } = await startTestAdmin(t)
  const reload = holdReload(service)
  const client = await openSocket(socket)
  client.write('POST /reload HTTP/1.1\r\nHost: x\r\n\r\n')
  await reload.asked
  client.destroy()
  await once(client, 'close')
  reload.finish({ outcome: 'unchanged', generation: 3, since: '2025-01-02T00:00:00.000Z', warnings: [] })
  assert.equal((await adminRequest(socket, 'GET', '/healthz')).status, 200)
  assert.deepEqual(errors, [])
})

test('startAdmin() closes a connection above the limit and serves again when one is free', async (t) => {
  const { socket } = await startTestAdmin(t)
  const held: Socket[] = []
  for (let index = 0; index < adminLimits.connections; index++) held.push(await openSocket(socket))
  assert.equal(await readAll(await openSocket(socket)), '')
  const first = held[0]
  assert.ok(first)
  first.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  assert.match(await readAll(first), /^HTTP\/1\.1 200 /)
  for (const client of held) client.destroy()
})

test('startAdmin() closes a client that never finishes its headers', { timeout: 30_000 }, async (t) => {
  const { socket } = await startTestAdmin(t)
  assert.match(await sendRaw(socket, 'GET /healthz HTTP/1.1\r\nHost: '), /^HTTP\/1\.1 408 /)
})

test('close() ends while a reload is still being waited for', { timeout: 30_000 }, async (t) => {
  const { socket, service, admin } = await startTestAdmin(t)
  const reload = holdReload(service)
  const answer = adminRequest(socket, 'POST', '/reload')
  const refused = assert.rejects(answer, { code: 'MCS_ADMIN_UNREACHABLE' })
  await reload.asked
  await admin.close()
  await refused
})
