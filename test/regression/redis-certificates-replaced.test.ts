import assert from 'node:assert/strict'
import { copyFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type RegistrationState, register } from '#src/discovery/register.js'
import { type Certificate, makeCertificate } from '../helpers/certificate.ts'
import { atEnd } from '../helpers/cleanup.ts'
import { redisConfig } from '../helpers/discovery-maker.ts'
import { freeListenerPort } from '../helpers/free-listener-port.ts'
import { tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { needs } from '../helpers/peers.ts'
import { RedisServer } from '../helpers/redis-server.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// The authorities of `tls.ca` were read once, when the client was made. After the certificate of Redis and the file had
// been replaced, as is done every few months, discovery, sticky entries and `register` stayed lost until a restart; and
// where the file was missing at the start, sticky entries were not kept whatever was mended, though the log said
// "mend this and reload".
test(
  'Discovery and sticky entries trust the authorities that the file has now, also where it had none at the start',
  needs('redis-server', 'openssl'),
  async (t) => {
    const [one, two] = [makeCertificate(t, 'IP:127.0.0.1'), makeCertificate(t, 'IP:127.0.0.1')]
    const redis = await RedisServer.start(t, { certificate: one })
    const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
    await redis.client.set(`mcs:node:${a.address}`, '')
    const ca = join(temporaryDirectory(t), 'ca.pem')
    const tls = `{ url: "rediss://127.0.0.1:${redis.tlsPort}", tls: { ca: ${ca} } }`
    const port = await freeListenerPort()
    const lb = await LoadBalancerProcess.start(
      t,
      `
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: chat } }
upstreams:
  chat:
    sticky: { persist: { redis: ${tls}, key: kept } }
    discovery: { type: redis-keys, redis: ${tls}, interval: 100ms }
`,
    )
    const said = /Sticky entries are not saved for now.*Cannot read the certificates .*ca\.pem/
    await waitUntil('it says why entries are not kept', () => said.test(lb.stderr))
    assert.match((await discoveryOf(lb)).reason, /Cannot read the certificates ".*ca\.pem"/)
    copyFileSync(one.cert, ca)
    await waitUntil('the member is found', async () => (await tryGreeting(t, port)) === 'a')
    await waitUntil('its client is kept', async () => (await redis.client.hlen('kept')) === 1)

    await replace(redis, two)
    await waitUntil('the source is lost', async () => (await discoveryOf(lb)).state === 'lost')
    copyFileSync(two.cert, ca)
    await redis.client.set(`mcs:node:${b.address}`, '')
    await waitUntil('what was added is found', async () => (await discoveryOf(lb)).members === 2)
    await redis.client.del('kept')
    await waitUntil('clients are kept again', async () => {
      await tryGreeting(t, port)
      return (await redis.client.hlen('kept')) === 1
    })
  },
)

test(
  'register() trusts the authorities that the file has now, and the last ones while it has none',
  needs('redis-server', 'openssl'),
  async (t) => {
    const [one, two] = [makeCertificate(t, 'IP:127.0.0.1'), makeCertificate(t, 'IP:127.0.0.1')]
    const redis = await RedisServer.start(t, { certificate: one })
    const ca = join(temporaryDirectory(t), 'ca.pem')
    copyFileSync(one.cert, ca)
    const states: RegistrationState[] = []
    const tls = { ca, serverName: '', verify: true }
    const registration = await register({
      redis: redisConfig(`rediss://127.0.0.1:${redis.tlsPort}`, { tls }),
      address: '10.0.0.1:9100',
      intervalMs: 100,
      onState: (state) => states.push(state),
    })
    atEnd(t, () => registration.close())
    const isRegistered = () => states.at(-1)?.registered === true
    await waitUntil('it is registered', isRegistered)
    renameSync(ca, `${ca}.old`)
    await disconnect(redis)
    await redis.client.del('mcs:node:10.0.0.1:9100')
    await waitUntil('it beats without the file', async () => (await redis.client.dbsize()) === 1)

    await replace(redis, two)
    const isTold = () =>
      /those read before\. Cannot read the certificates ".*": ENOENT/.test(states.at(-1)?.reason ?? '')
    await waitUntil('it says that they may be too old', isTold)
    // Node would take an empty file for its own authorities.
    writeFileSync(ca, '')
    await waitUntil('it says that there are none', () => /There is no certificate in/.test(states.at(-1)?.reason ?? ''))
    rmSync(ca)
    copyFileSync(two.cert, ca)
    await waitUntil('it is registered by the new ones', isRegistered)
  },
)

async function discoveryOf(lb: LoadBalancerProcess) {
  const { discovery } = (await lb.status()).upstreams[0]!
  assert.ok(discovery)
  return discovery
}

/** Has Redis show another certificate, as a restart does. */
async function replace(redis: RedisServer, { cert, key }: Certificate): Promise<void> {
  await redis.client.config('SET', 'tls-cert-file', cert, 'tls-key-file', key, 'tls-ca-cert-file', cert)
  await disconnect(redis)
}

async function disconnect(redis: RedisServer): Promise<void> {
  await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
}
