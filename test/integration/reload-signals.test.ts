import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { tryGreeting } from '../helpers/greeted-client.ts'
import { HeldStart } from '../helpers/held-start.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { waitUntil } from '../helpers/wait-until.ts'

/** Two backends, and files that serve one or the other with nothing but signals to reload. */
async function setUp(t: Parameters<typeof NamedBackend.start>[0]) {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const config = (backend: NamedBackend, workers = 1) => `workers: ${workers}
reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  return { a, b, port, config }
}

test('42. SIGHUP during the start is carried out after it', async (t) => {
  const { a, b, port, config } = await setUp(t)
  const start = new HeldStart(t)
  start.hold()
  const lb = new LoadBalancerProcess(t, { config: config(a), nodeOptions: start.nodeOptions })
  await start.held()
  lb.writeConfig(config(b))
  lb.child.kill('SIGHUP')
  start.release()
  await waitUntil('the changed file is served', async () => (await tryGreeting(t, port)) === 'b')
})

test('42. SIGTERM during the start ends the process in order once it has started', async (t) => {
  const { a, config } = await setUp(t)
  const start = new HeldStart(t)
  start.hold()
  const lb = new LoadBalancerProcess(t, { config: config(a), nodeOptions: start.nodeOptions })
  await start.held()
  lb.child.kill('SIGTERM')
  start.release()
  assert.equal(await lb.exited, 0)
  assert.match(lb.stderr, /Stopped/)
})

test('42. SIGHUP during a reload is carried out after it, with the latest file', async (t) => {
  const { a, b, port, config } = await setUp(t)
  const start = new HeldStart(t)
  const lb = await LoadBalancerProcess.start(t, { config: config(a), nodeOptions: start.nodeOptions })
  start.hold()
  lb.writeConfig(config(a, 2))
  lb.child.kill('SIGHUP')
  await start.held()
  lb.writeConfig(config(b, 2))
  for (let i = 0; i < 5; i++) lb.child.kill('SIGHUP')
  assert.equal(await tryGreeting(t, port), 'a', 'it serves on meanwhile')
  start.release()
  await waitUntil('the latest file is served', async () => (await tryGreeting(t, port)) === 'b')
  await waitUntil('no reload is left', async () => (await lb.status()).lastReload.result !== 'refused')
})
