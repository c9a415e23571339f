import assert from 'node:assert/strict'
import { existsSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { atEnd } from '../helpers/cleanup.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'

// The file of a unix listener was removed by its path alone. Where another program had taken the path meanwhile (the next
// instance of mcs-lb, say), the end of this one removed the other's socket, which nobody could reach from then on.
test('at its end it leaves a socket file that another program has put in the place of its own', async (t) => {
  const backend = await NamedBackend.start(t, 'a')
  const lb = await LoadBalancerProcess.start(
    t,
    `listeners: { edge: { bind: "unix:@DIR@/edge.sock", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`,
  )
  const path = join(lb.directory, 'edge.sock')
  rmSync(path)
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(path, resolve))
  atEnd(t, () => other.close())
  lb.child.kill('SIGTERM')
  assert.equal(await lb.exited, 0)
  assert.ok(existsSync(path), 'the other socket is still there')
})
