import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { GreetedClient, tryGreeting } from '../helpers/greeted-client.ts'
import { HeldStart } from '../helpers/held-start.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// SIGTERM came while a reload was under way: `systemctl stop` shortly after a save. The reload, when it was done, said
// that the state is "serving" again, over the "draining" that the signal had set. So while connections drained, status
// and /healthz said that all was well, and one more save was not refused: the listeners opened again, and the process
// took new clients until the drain was over, then cut them all off.
test('SIGTERM during a reload stops: while connections drain no file is served any more', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const config = (backend: NamedBackend, workers: number) => `workers: ${workers}
reload: { watch: false }
shutdown: { drain: 20s }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const start = new HeldStart(t)
  const lb = await LoadBalancerProcess.start(t, { config: config(a, 1), nodeOptions: start.nodeOptions })
  const client = await GreetedClient.open(t, port)
  start.hold()
  lb.writeConfig(config(a, 2))
  lb.child.kill('SIGHUP')
  await start.held()
  lb.child.kill('SIGTERM')
  await waitUntil('the signal has arrived', () => lb.stderr.includes('Stopping'))
  start.release()
  await waitUntil('it drains', () => lb.stderr.includes('Stopped accepting'))
  assert.equal((await lb.status()).state, 'draining')
  assert.equal((await lb.reload(config(b, 1))).outcome, 'refused')
  assert.equal(await tryGreeting(t, port), 'ECONNREFUSED')
  assert.ok(await client.echoes(), 'the connection drains')
  await client.end()
  assert.equal(await lb.exited, 0)
})
