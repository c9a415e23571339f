import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freeListenerPort } from '../helpers/free-listener-port.ts'
import { freePort } from '../helpers/free-port.ts'
import { endClients, openClients } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// `connections.total` of the status was the sum over the listeners that the tables still knew. A listener that a reload
// had removed took its part with it once its last connection was gone and one more reload came: a total that goes down.
// A counter that does so is read as a restart of the process by whoever scrapes it.
test('connections.total keeps the connections of listeners that are gone', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const [port, extra] = [await freePort(), await freeListenerPort()]
  const config = (n: number, listeners: string) => `reload: { watch: false }
limits: { connections: ${1000 + n} }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web }${listeners} }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`
  const withExtra = `, extra: { bind: "127.0.0.1:${extra}", upstream: web }`
  const lb = await LoadBalancerProcess.start(t, config(0, withExtra))
  await endClients(await openClients(t, extra, 8))
  await endClients(await openClients(t, port, 2))
  await waitUntil('all are gone', async () => (await lb.status()).connections.active === 0)
  for (const n of [1, 2, 3]) await lb.reload(config(n, ''))
  assert.equal((await lb.status()).connections.total, 10)
  // A listener of another name, so that it may get the row of the first. It has counts of its own.
  await lb.reload(config(4, withExtra.replace('extra', 'other')))
  await endClients(await openClients(t, extra, 1))
  const { listeners, connections } = await lb.status()
  assert.deepEqual(
    listeners.map(({ name, accepted }) => [name, accepted]),
    [
      ['edge', 2],
      ['other', 1],
    ],
  )
  assert.equal(connections.total, 11)
})
