import assert from 'node:assert/strict'
import { existsSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { GreetedClient } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// Somebody emptied the directory of the sockets. No reload made them again: the file said what was served, so nobody
// could reach the listener or the admin API until the next start.
test('a reload that finds nothing new makes socket files again that were deleted, and connections live on', async (t) => {
  const backend = await NamedBackend.start(t, 'a')
  const lb = await LoadBalancerProcess.start(
    t,
    `reload: { watch: false }
admin: { socket: "@DIR@/admin.sock" }
listeners: { edge: { bind: "unix:@DIR@/edge.sock", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`,
  )
  const path = join(lb.directory, 'edge.sock')
  const before = await GreetedClient.greet(t, connect(path))
  rmSync(path)
  rmSync(lb.adminSocket)
  lb.child.kill('SIGHUP')
  // The admin socket is made last, when the listener takes clients.
  await waitUntil('both are there again', () => existsSync(path) && existsSync(lb.adminSocket))
  const after = await GreetedClient.greet(t, connect(path))
  for (const client of [before, after]) assert.ok(await client.echoes())
  assert.equal((await lb.status()).generation, 2)
  assert.equal((await lb.reload()).outcome, 'unchanged')
})
