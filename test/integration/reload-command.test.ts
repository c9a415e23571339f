import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { atEnd } from '../helpers/cleanup.ts'
import { freePort } from '../helpers/free-port.ts'
import { tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { runProgram } from '../unit/cli/run-program.ts'

test('`mcs-lb reload` exits by the answer of the running process, and prints it', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const occupant = createServer().listen(0, '127.0.0.1')
  atEnd(t, () => occupant.close())
  await once(occupant, 'listening')
  const { port: occupied } = occupant.address() as { port: number }
  const config = (backend: NamedBackend, bind: number, upstream = 'web') => `reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${bind}", upstream: ${upstream} } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config(a, port))
  const reload = () => runProgram(['reload', '--config', lb.configFile])

  lb.writeConfig(config(b, port))
  const served = await reload()
  const { generation } = await lb.status()
  assert.match(served.stdout, new RegExp(`^Serving generation ${generation} `))
  assert.equal(served.code, 0)
  assert.equal(await tryGreeting(t, port), 'b')

  const unchanged = await reload()
  const since = (await lb.status()).generationSince
  assert.equal(
    unchanged.stdout,
    `Already serving generation ${generation}, since ${since}: the file says nothing new.\n`,
  )
  assert.equal(unchanged.code, 0)

  lb.writeConfig(config(a, port, 'wbe'))
  const bad = await reload()
  assert.match(bad.stdout, /lb\.yaml:\d+:\d+: error: listeners\.edge\.upstream: there is no upstream "wbe"/)
  assert.match(bad.stdout, new RegExp(`Refused; nothing has changed in generation ${generation}\\.`))
  assert.equal(bad.code, 78)

  lb.writeConfig(config(a, occupied))
  const inUse = await reload()
  assert.match(inUse.stdout, /^MCS_BIND_FAILED: Cannot bind listener "edge" to 127\.0\.0\.1:\d+: the address is in use/)
  assert.match(inUse.stdout, new RegExp(`Refused; nothing has changed in generation ${generation}\\.`))
  assert.equal(inUse.code, 1)

  assert.equal(await tryGreeting(t, port), 'b')
  assert.equal((await lb.status()).generation, generation)
  assert.equal(await lb.stop(), 0)
  const nobody = await reload()
  assert.match(nobody.stderr, /^MCS_ADMIN_UNREACHABLE: /)
  assert.equal(nobody.code, 1)
})
