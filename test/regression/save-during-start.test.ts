import { test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { tryGreeting } from '../helpers/greeted-client.ts'
import { HeldStart } from '../helpers/held-start.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// The file was saved while the program was starting: after it had been read, and before it was watched. The watch took
// the new content for what was served, so the save was lost, and the old configuration served until the next one. A
// reload that changed `reload.debounce` or `reload.watch` had the same gap.
test('a save during the start is served after it', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const config = (backend: NamedBackend) => `reload: { debounce: 10ms }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const start = new HeldStart(t)
  start.hold()
  const lb = new LoadBalancerProcess(t, { config: config(a), nodeOptions: start.nodeOptions })
  await start.held()
  lb.writeConfig(config(b))
  start.release()
  await waitUntil('the saved file is served', async () => (await tryGreeting(t, port)) === 'b', 10_000)
})

test('a save while a reload turns watching on is served after it', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const config = (backend: NamedBackend, watch: boolean, workers: number) => `workers: ${workers}
reload: { watch: ${watch}, debounce: 10ms }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const start = new HeldStart(t)
  const lb = await LoadBalancerProcess.start(t, { config: config(a, false, 1), nodeOptions: start.nodeOptions })
  start.hold()
  lb.writeConfig(config(a, true, 2))
  lb.child.kill('SIGHUP')
  await start.held()
  lb.writeConfig(config(b, true, 2))
  start.release()
  await waitUntil('the saved file is served', async () => (await tryGreeting(t, port)) === 'b', 10_000)
})
