import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import { probe } from '#src/health/probe.js'
import type { HealthConfig } from '#src/model/config.js'
import { int32, type PostgresPeerOptions, postgresMessage, servePostgres } from '../../helpers/postgres-peer.ts'
import { makeHealth, startBackend, told } from './fixture.ts'

const login = { role: 'primary', user: 'checker', database: 'postgres', password: 'sesame' } as const

async function check(t: TestContext, serve: (socket: Socket) => void, changes: Partial<HealthConfig> = {}) {
  const address = await startBackend(t, serve)
  return told(await probe(address, makeHealth({ type: 'postgres', postgres: login, ...changes })))
}

function checkPeer(t: TestContext, options: Partial<PostgresPeerOptions>): Promise<string> {
  return check(t, (socket) => servePostgres(socket, { password: 'sesame', ...options }))
}

/** What a check says of a server that answers the startup message like this. */
function checkAnswer(t: TestContext, answer: Buffer | string, changes: Partial<HealthConfig> = {}): Promise<string> {
  return check(t, (socket) => socket.once('data', () => socket.write(answer)), changes)
}

test('probe() of postgres logs in by SCRAM-SHA-256 to a peer of the protocol', async (t) => {
  assert.equal(await checkPeer(t, {}), 'ok')
  assert.equal(await checkPeer(t, { password: 'other' }), 'login: FATAL 28P01 "the password is wrong"')
})

test('probe() of postgres prepares passwords as SASLprep says', async (t) => {
  const serve = (socket: Socket) => servePostgres(socket, { password: 'IX a' })
  const postgres = { ...login, password: '\u2168\u00a0\u00ada' }
  assert.equal(await check(t, serve, { postgres }), 'ok')
})

test('probe() of postgres refuses a server that does not know the password', async (t) => {
  const result = await checkPeer(t, { password: 'other', acceptsAny: true })
  assert.equal(result, 'login: the server does not know the password')
})

test('probe() of postgres refuses a server that lets it in without a proof of its own', async (t) => {
  const result = await checkPeer(t, { provesNothing: true })
  assert.equal(result, 'login: the server does not prove that it knows the password')
})

test('probe() of postgres refuses a nonce that does not begin with its own', async (t) => {
  assert.match(await checkPeer(t, { noncePrefix: 'x' }), /^login: .*nonce/)
})

test('probe() of postgres does not hash for as long as a server likes', async (t) => {
  const result = await checkPeer(t, { iterations: 200_001 })
  assert.equal(result, 'login: the server asks for 200001 rounds of hashing; 200000 are done at most')
})

test('probe() of postgres refuses a login that ends before the server has proved itself', async (t) => {
  const final = postgresMessage('R', int32(12), 'v=AAAA')
  assert.equal(await checkAnswer(t, final), 'login: the server does not know the password')
})

test('probe() of postgres says what a server asks for that checks do not speak', async (t) => {
  const gss = await checkAnswer(t, postgresMessage('R', int32(7)))
  assert.equal(gss, 'login: the server asks for authentication of kind 7, which checks do not speak')
  const sasl = await checkAnswer(t, postgresMessage('R', int32(10), 'OAUTHBEARER\0\0'))
  assert.equal(sasl, String.raw`login: the server offers no SCRAM-SHA-256 but "OAUTHBEARER\x00\x00"`)
})

test('probe() of postgres says that the server is still starting', async (t) => {
  const error = postgresMessage('E', 'SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0')
  assert.equal(await checkAnswer(t, error), 'login: FATAL 57P03 "the database system is starting up"')
})

test('probe() of postgres does not repeat the password, though the server does', async (t) => {
  const error = postgresMessage('E', 'VFATAL\0C28P01\0Mno sesame here\0\0')
  assert.equal(await checkAnswer(t, error), 'login: FATAL 28P01 (text withheld)')
})

test('probe() of postgres refuses what is no message', async (t) => {
  const expected = 'login: expected a message of PostgreSQL, got'
  assert.equal(await checkAnswer(t, 'HTTP/1.1 400'), `${expected} "HTTP/"`)
  assert.match(await checkAnswer(t, Buffer.from([0x52, 0, 0, 0, 3])), /^login: expected a message/)
  assert.match(await checkAnswer(t, Buffer.from([0x52, 0xff, 0xff, 0xff, 0xff])), /^login: expected a message/)
  assert.match(await checkAnswer(t, postgresMessage('R')), /kind -1/)
  assert.equal(await checkAnswer(t, postgresMessage('E', 'VFATAL')), 'login: ""')
})

test('probe() of postgres bounds the messages before an answer', async (t) => {
  const result = await checkAnswer(t, Buffer.concat(Array(300).fill(postgresMessage('S', 'a\0b\0'))))
  assert.equal(result, 'login: no "R" among 200 messages')
})

test('probe() of postgres refuses rows that are no role', async (t) => {
  for (const row of [Buffer.from([0, 0]), Buffer.from([0, 1, 0, 0, 0, 1, 0x78]), Buffer.alloc(0)])
    assert.match(await checkPeer(t, { answer: postgresMessage('D', row) }), /^role: expected t or f, got /)
  const answer = postgresMessage('E', 'VERROR\0C42501\0Mpermission denied\0\0')
  assert.equal(await checkPeer(t, { answer }), 'role: ERROR 42501 "permission denied"')
})

test('probe() of postgres needs the server to offer TLS where it is configured, and nothing in plain after that', async (t) => {
  const tls = { tls: { serverName: '', ca: 'system', verify: false } }
  assert.equal(await checkAnswer(t, 'N', tls), 'tls: not offered')
  assert.equal(await checkAnswer(t, 'E', tls), 'tls: got "E"')
  assert.equal(await checkAnswer(t, 'SELECT', tls), 'tls: plain "ELECT" before the handshake')
})
