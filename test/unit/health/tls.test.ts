import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFileSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { createServer } from 'node:tls'
import { probe } from '#src/health/probe.js'
import type { ClientTlsConfig, HealthConfig } from '#src/model/config.js'
import { type Certificate, makeCertificate } from '../../helpers/certificate.ts'
import { startServer } from '../../helpers/child-server.ts'
import { atEnd } from '../../helpers/cleanup.ts'
import { freePort } from '../../helpers/free-port.ts'
import { needs } from '../../helpers/peers.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { loopback, makeHealth, startBackend, told } from './fixture.ts'

function makeTls(tls: Partial<ClientTlsConfig>, changes: Partial<HealthConfig> = {}): HealthConfig {
  return makeHealth({ type: 'tls', tls: { serverName: '', ca: 'system', verify: true, ...tls }, ...changes })
}

/** `openssl s_server` with a certificate, answering as a web server. */
async function startOpenssl(t: TestContext, { cert, key }: Certificate, more: readonly string[] = []) {
  const port = await freePort()
  const args = ['s_server', '-accept', `127.0.0.1:${port}`, '-cert', cert, '-key', key, '-www', ...more]
  await startServer(t, 'openssl', args, /^ACCEPT/m)
  return loopback(port)
}

test(
  'probe() of tls verifies the certificate of openssl s_server for the configured name',
  needs('openssl'),
  async (t) => {
    const certificate = makeCertificate(t, 'DNS:backend.test')
    const address = await startOpenssl(t, certificate)
    const check = async (tls: Partial<ClientTlsConfig>) => told(await probe(address, makeTls(tls)))
    const ca = certificate.cert
    assert.equal(await check({ ca, serverName: 'backend.test' }), 'ok')
    const otherName = (name: string) =>
      `tls: the certificate is not for ${name}; set health.tls.serverName to one of its names: DNS:backend.test`
    assert.equal(await check({ ca, serverName: 'other.test' }), otherName('other.test'))
    assert.equal(await check({ ca }), otherName('127.0.0.1'))
    assert.equal(await check({ serverName: 'backend.test' }), 'tls: self-signed certificate')
    assert.equal(await check({ verify: false, serverName: 'other.test' }), 'ok')
    assert.equal(told(await probe(address, makeHealth({ type: 'tls' }))), 'ok')
  },
)

test('probe() over TLS asks openssl s_server for a page', needs('openssl'), async (t) => {
  const certificate = makeCertificate(t, 'IP:127.0.0.1')
  const address = await startOpenssl(t, certificate)
  const http = { ...makeHealth().http, body: 'Ciphers supported' }
  assert.equal(told(await probe(address, makeTls({ ca: certificate.cert }, { type: 'http', http }))), 'ok')
})

test(
  'probe() of tls verifies the address that it connects to where no name is configured',
  needs('openssl'),
  async (t) => {
    const certificate = makeCertificate(t, 'IP:127.0.0.1')
    const address = await startOpenssl(t, certificate)
    assert.equal(told(await probe(address, makeTls({ ca: certificate.cert }))), 'ok')
  },
)

test('probe() of tls verifies an address that is configured in place of a name', needs('openssl'), async (t) => {
  const certificate = makeCertificate(t, 'IP:10.1.2.3')
  const address = await startOpenssl(t, certificate)
  assert.equal(told(await probe(address, makeTls({ ca: certificate.cert, serverName: '10.1.2.3' }))), 'ok')
})

test('probe() of tls sends the configured server name, and never an address as one', needs('openssl'), async (t) => {
  const certificate = makeCertificate(t, 'DNS:backend.test')
  const names: unknown[] = []
  const key = readFileSync(certificate.key)
  const server = createServer({ key, cert: readFileSync(certificate.cert) }, (socket) => {
    names.push(socket.servername)
    socket.on('error', () => {}).write('seen')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(t, () => server.close())
  const address = loopback((server.address() as AddressInfo).port)
  for (const serverName of ['backend.test', '127.0.0.1', '']) {
    const config = makeTls(
      { serverName, verify: false },
      { type: 'send-expect', steps: [{ expect: Buffer.from('seen') }] },
    )
    assert.equal(told(await probe(address, config)), 'ok')
  }
  assert.deepEqual(names, ['backend.test', false, false])
})

test('probe() of tls says what a backend is that does not speak TLS', async (t) => {
  const plain = await startBackend(t, (socket) => socket.once('data', () => socket.write('HTTP/1.1 400 no\r\n\r\n')))
  assert.equal(told(await probe(plain, makeTls({}))), 'tls: wrong version number')
  const closing = await startBackend(t, (socket) => socket.once('data', () => socket.end()))
  assert.equal(told(await probe(closing, makeTls({}))), 'tls: closed')
  const silent = await startBackend(t, () => {})
  assert.equal(told(await probe(silent, makeTls({}, { timeoutMs: 250 }))), 'tls: no answer within 250 ms')
})

test('probe() of tls sends the PROXY header before the handshake', async (t) => {
  const heard: Buffer[] = []
  const address = await startBackend(t, (socket) =>
    socket.on('data', (chunk: Buffer) => {
      heard.push(chunk)
      if (Buffer.concat(heard).length > 100) socket.end()
    }),
  )
  await probe(address, makeTls({}, { proxyProtocol: 'v1' }))
  // A TLS record of a handshake begins with 22, 3.
  assert.ok(Buffer.concat(heard).toString('latin1').startsWith('PROXY UNKNOWN\r\n\x16\x03'))
})

test(
  'probe() of tls reads certificates again when their file has changed, and keeps them while it cannot',
  needs('openssl'),
  async (t) => {
    const certificate = makeCertificate(t, 'DNS:backend.test')
    const other = makeCertificate(t, 'DNS:backend.test')
    const address = await startOpenssl(t, certificate)
    const ca = join(temporaryDirectory(t), 'ca.pem')
    const check = async () => told(await probe(address, makeTls({ ca, serverName: 'backend.test' })))
    assert.match(await check(), /^tls: Cannot read the certificates of .*: ENOENT/)
    copyFileSync(other.cert, ca)
    assert.match(await check(), /^tls: /)
    copyFileSync(certificate.cert, ca)
    utimesSync(ca, 1, 1)
    assert.equal(await check(), 'ok')
    writeFileSync(ca, Buffer.alloc(5 << 20))
    assert.equal(await check(), 'ok')
  },
)
