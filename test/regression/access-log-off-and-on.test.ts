import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { GreetedClient } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// A reload turned the access log off, and connections from before, which keep the settings they began with, went on
// being recorded. Nobody took the records. When the log was turned on again, hours later perhaps, they were written
// then, under the names that their rows had by now: as connections of a listener that they had never seen.
test('connections that end while there is no access log are not in the one that comes after', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const [old, current] = [await freePort(), await freePort()]
  const config = (n: number, log: string, listener: string) => `reload: { watch: false }
limits: { connections: ${1000 + n} }
accessLog: { to: ${log} }
listeners: { ${listener} }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`
  const edge = `edge: { bind: "127.0.0.1:${old}", upstream: web }`
  const other = `other: { bind: "127.0.0.1:${current}", upstream: web }`
  const lb = await LoadBalancerProcess.start(t, config(0, '@DIR@/access.log', edge))
  const early = await GreetedClient.open(t, old)
  // Twice, so that the row of the listener is free: it has no connection, and no snapshot names it.
  await lb.reload(config(1, 'none', edge))
  await early.end()
  await waitUntil('it is gone', async () => (await lb.status()).connections.active === 0)
  const kept = `kept: { bind: "127.0.0.1:${old}", upstream: web }`
  for (const n of [2, 3]) await lb.reload(config(n, 'none', kept))
  await lb.reload(config(4, '@DIR@/access.log', `${kept}, ${other}`))
  const late = await GreetedClient.open(t, current)
  await late.end()
  const lines = await lb.accessLog(1)
  assert.deepEqual(
    lines.map(({ listener, generation }) => ({ listener, generation })),
    [{ listener: 'other', generation: (await lb.status()).generation }],
  )
  assert.deepEqual((await lb.status()).accessLog, { written: 1, dropped: 0 })
})
