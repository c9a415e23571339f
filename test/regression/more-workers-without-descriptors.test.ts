import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leaveDescriptors } from '../helpers/descriptor-limit.ts'
import { freePort } from '../helpers/free-port.ts'
import { GreetedClient } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'

// A reload asked for more workers than the descriptors that were left allow. Threads that could not even start counted
// as crashes of what serves: after five of them the process gave up and ended, with every connection, though the reload
// had been answered with "the earlier configuration goes on serving".
test('a reload that asks for more workers than there are descriptors for is refused, and nothing is lost', async (t) => {
  const backend = await NamedBackend.start(t, 'a')
  const port = await freePort()
  const config = (workers: number) => `workers: ${workers}
reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, { config: config(1) })
  const client = await GreetedClient.open(t, port)
  // Enough for the admin API and for the eventfds of all workers, and not for what else a thread opens.
  const giveBack = await leaveDescriptors(lb.child.pid!, 64)
  const result = await lb.reload(config(16))
  giveBack()
  assert.equal(result.outcome, 'refused')
  assert.ok(await client.echoes(), 'the connection lives')
  assert.equal((await lb.reload(config(3))).outcome, 'serving')
  assert.ok(await client.echoes(), 'the connection lives on')
  assert.equal(lb.stderr.includes('giving up'), false)
  await client.end()
})
