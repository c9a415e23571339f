import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { countByBackend, endClients, GreetedClient, openClients } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'

test('14. Round-robin gives two backends 15 of 30 connections each, and 10 and 20 with weights 1 and 2', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const [even, weighted] = [await freePort(), await freePort()]
  await LoadBalancerProcess.start(
    t,
    `listeners:
  even: { bind: "127.0.0.1:${even}", upstream: even }
  weighted: { bind: "127.0.0.1:${weighted}", upstream: weighted }
upstreams:
  even: { servers: [{ address: "${a.address}" }, { address: "${b.address}" }] }
  weighted: { servers: [{ address: "${a.address}", weight: 1 }, { address: "${b.address}", weight: 2 }] }
`,
  )
  assert.deepEqual(countByBackend(await openClients(t, even, 30)), { a: 15, b: 15 })
  assert.deepEqual(countByBackend(await openClients(t, weighted, 30)), { a: 10, b: 20 })
})

test('14. Round-robin is as exact when four workers accept at the same time', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const lb = await LoadBalancerProcess.start(
    t,
    `workers: 4
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${a.address}" }, { address: "${b.address}", weight: 2 }] } }
`,
  )
  // All at once, so that workers choose side by side; again where a single one was fast enough for all of them.
  const clients: GreetedClient[] = []
  let workersInUse = 0
  for (let wave = 0; wave < 10 && workersInUse < 2; wave++) {
    clients.push(...(await Promise.all(Array.from({ length: 90 }, () => GreetedClient.open(t, port)))))
    workersInUse = (await lb.status()).workers.filter((worker) => worker.accepted > 0).length
  }
  assert.ok(workersInUse > 1, 'more than one worker accepted')
  assert.deepEqual(countByBackend(clients), { a: clients.length / 3, b: (2 * clients.length) / 3 })
})

test('14. Round-robin goes on where it was after a reload', async (t) => {
  const backends = [
    await NamedBackend.start(t, 'a'),
    await NamedBackend.start(t, 'b'),
    await NamedBackend.start(t, 'c'),
  ]
  const port = await freePort()
  const config = (idle: string) => `reload: { watch: false }
listeners:
  edge: { bind: "127.0.0.1:${port}", upstream: web, timeouts: { idle: ${idle} } }
upstreams: { web: { servers: [${backends.map(({ address }) => `{ address: "${address}" }`)}] } }
`
  const lb = await LoadBalancerProcess.start(t, config('1m'))
  const before = await openClients(t, port, 4)
  assert.equal((await lb.reload(config('2m'))).outcome, 'serving')
  const after = await openClients(t, port, 4)
  const names = [...before, ...after].map((client) => client.backend)
  assert.deepEqual(names, ['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b'])
})

test('15. A backend that refuses is skipped without an error for the client', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const refusing = await freePort()
  const port = await freePort()
  const lb = await LoadBalancerProcess.start(
    t,
    `listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "127.0.0.1:${refusing}" }, { address: "${a.address}" }] } }
`,
  )
  const clients = await openClients(t, port, 20)
  for (const client of clients) assert.ok(await client.echoes())
  const [web] = (await lb.status()).upstreams
  assert.equal(web?.backends[0]?.connections, 0)
  assert.ok(web!.backends[0]!.connectFailures >= 10, 'it was tried in its turn')
  assert.equal(web?.backends[0]?.active, 0, 'a failed attempt keeps no place')
  assert.equal(web?.backends[1]?.active, 20)
})

test('15. A backend that goes down takes its own connections only, and is used again once it is back', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const down = await NamedBackend.start(t, 'b')
  const port = await freePort()
  await LoadBalancerProcess.start(
    t,
    `listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${a.address}" }, { address: "${down.address}" }] } }
`,
  )
  const before = await openClients(t, port, 10)
  const downPort = down.port
  down.stop()
  await Promise.all(before.filter(({ backend }) => backend === 'b').map((client) => client.ended))
  assert.deepEqual(countByBackend(await openClients(t, port, 10)), { a: 10 })
  for (const client of before) if (client.backend === 'a') assert.ok(await client.echoes())
  await NamedBackend.start(t, 'b again', downPort)
  const after = await openClients(t, port, 10)
  assert.deepEqual(countByBackend(after), { a: 5, 'b again': 5 })
  await endClients(after)
})
