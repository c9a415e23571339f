import assert from 'node:assert/strict'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { probe } from '#src/health/probe.js'
import type { SocketAddress } from '#src/model/address.js'
import type { HealthConfig } from '#src/model/config.js'
import { makeCertificate } from '../../helpers/certificate.ts'
import { needs } from '../../helpers/peers.ts'
import { RedisServer } from '../../helpers/redis-server.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { loopback, makeHealth, startBackend, told } from './fixture.ts'

type RedisPart = Partial<HealthConfig['redis']>

function makeRedis(redis: RedisPart = {}, changes: Partial<HealthConfig> = {}): HealthConfig {
  return makeHealth({ type: 'redis', redis: { ...makeHealth().redis, ...redis }, ...changes })
}

async function check(address: SocketAddress, redis: RedisPart = {}): Promise<string> {
  return told(await probe(address, makeRedis(redis)))
}

test('probe() of redis knows a master from a replica', needs('redis-server'), async (t) => {
  const { port: master } = await RedisServer.start(t)
  const { port: replica } = await RedisServer.start(t, { args: ['--replicaof', '127.0.0.1', `${master}`] })
  assert.equal(await check(loopback(master)), 'ok')
  assert.equal(await check(loopback(replica)), 'ok')
  assert.equal(await check(loopback(master), { role: 'master' }), 'ok')
  assert.equal(await check(loopback(replica), { role: 'replica' }), 'ok')
  assert.equal(await check(loopback(master), { role: 'replica' }), 'role: expected replica, got "master"')
  assert.equal(await check(loopback(replica), { role: 'master' }), 'role: expected master, got "slave"')
})

test('probe() of redis logs in with a password, and with a user of its own', needs('redis-server'), async (t) => {
  const path = join(temporaryDirectory(t), 'redis.sock')
  const user = ['--user', 'checker', 'on', '>hush', '+ping', '+role']
  const args = ['--requirepass', 'sesame', '--unixsocket', path, ...user]
  const { port } = await RedisServer.start(t, { args })
  assert.equal(await check(loopback(port), { password: 'sesame', role: 'master' }), 'ok')
  assert.equal(await check({ family: 'unix', path }, { password: 'sesame' }), 'ok')
  assert.equal(await check(loopback(port), { username: 'checker', password: 'hush', role: 'master' }), 'ok')
  assert.equal(await check(loopback(port)), 'ping: expected "+PONG", got "-NOAUTH Authentication required."')
  assert.match(await check(loopback(port), { password: 'wrong!' }), /^login: expected "\+OK", got "-WRONGPASS /)
})

test('probe() of redis speaks TLS', needs('redis-server', 'openssl'), async (t) => {
  const certificate = makeCertificate(t, 'IP:127.0.0.1')
  const { tlsPort } = await RedisServer.start(t, { certificate })
  const config = makeRedis({ role: 'master' }, { tls: { serverName: '', ca: certificate.cert, verify: true } })
  assert.equal(told(await probe(loopback(tlsPort), config)), 'ok')
})

test('probe() of redis does not repeat the password, though the server does', async (t) => {
  const address = await startBackend(t, (socket) =>
    socket.once('data', () => socket.write(`-ERR unknown command 'AUTH', with args beginning with: 'sesame'\r\n`)),
  )
  assert.equal(await check(address, { password: 'sesame' }), 'login: expected "+OK", got (text withheld)')
})

/** What a check says of a backend that answers PING well and ROLE like this. */
async function checkRole(t: TestContext, answer: string): Promise<string> {
  const address = await startBackend(t, (socket) =>
    socket.on('data', (chunk) => socket.write(`${chunk}`.includes('PING') ? '+PONG\r\n' : answer)),
  )
  return check(address, { role: 'master' })
}

test('probe() of redis refuses answers to ROLE that are none', async (t) => {
  assert.equal(await checkRole(t, '-ERR no\r\n'), 'role: expected a list, got "-ERR no"')
  assert.equal(await checkRole(t, '*-1\r\n'), 'role: expected a list, got "*-1"')
  assert.equal(await checkRole(t, '*99999999\r\n'), 'role: expected a list, got "*99999999"')
  assert.equal(await checkRole(t, '*3\r\n*3\r\n'), 'role: expected the name of a role')
  assert.equal(await checkRole(t, '*3\r\n$-1\r\n'), 'role: expected the name of a role')
  assert.equal(await checkRole(t, '*3\r\n$99\r\n'), 'role: expected the name of a role')
  assert.equal(await checkRole(t, '*3\r\n$4\r\n\x1b[2J'), String.raw`role: expected master, got "\x1b[2J"`)
})

test('probe() of redis bounds the lines of an answer', async (t) => {
  const address = await startBackend(t, (socket) => socket.write('+'.repeat(100_000)))
  assert.equal(await check(address), 'ping: a line of more than 1024 bytes')
})
