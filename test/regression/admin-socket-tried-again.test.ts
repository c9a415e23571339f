import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { adminRequest } from '#src/admin/client.js'
import { freePort } from '../helpers/free-port.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// The file named another admin socket, in a directory that did not exist yet. The log said that it goes on without one,
// though the earlier one answered. And once the directory was there, no reload opened the socket: each found that the
// file says what is served.
test('a reload that finds nothing new opens the admin socket that could not be opened before', async (t) => {
  const port = await freePort()
  const config = (socket: string) => `reload: { watch: false }
admin: { socket: "${socket}" }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "127.0.0.1:9" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config('@DIR@/admin.sock'))
  const directory = join(lb.directory, 'later')
  const socket = join(directory, 'admin.sock')
  assert.equal((await lb.reload(config(socket))).outcome, 'serving')
  await waitUntil('it is logged', () => lb.stderr.includes('Cannot open the admin socket'))
  const earlier = `Goes on with the earlier admin socket socket=${lb.adminSocket} `
  await waitUntil('the earlier one stays', () => lb.stderr.includes(earlier))
  assert.ok(!lb.stderr.includes('Goes on without'))
  mkdirSync(directory)
  assert.equal((await lb.reload()).outcome, 'unchanged')
  const { status } = await adminRequest(socket, 'GET', '/healthz')
  assert.equal(status, 200)
  await waitUntil('the earlier one is gone', async () => (await lb.tryStatus()) === undefined)
})
