import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { startUpstream } from '../helpers/upstream-setup.ts'

// Whatever lay at sticky.persist.path was replaced with the first save: a slip of the pen there, and the configuration
// itself was gone, though `mcs-lb check` had found nothing.
test('a start is refused where sticky.persist.path is the configuration file', async (t) => {
  const lb = new LoadBalancerProcess(t, {
    config: `listeners: { edge: { bind: "127.0.0.1:0", upstream: web } }
upstreams:
  web: { sticky: { persist: { path: ./lb.yaml } }, servers: [{ address: "127.0.0.1:1" }] }
`,
  })
  assert.equal(await lb.exited, 78)
  assert.match(lb.stderr, /upstreams\.web\.sticky\.persist\.path: this is the configuration file; write another file/)
})

test('a file that has no sticky entries is left as it is, and the log says so', async (t) => {
  const backend = await NamedBackend.start(t, 'a')
  const path = join(temporaryDirectory(t), 'diary')
  writeFileSync(path, 'Dear diary,\n')
  const upstream = `{ sticky: { persist: { path: ${path} } }, servers: [{ address: "${backend.address}" }] }`
  const { lb, port } = await startUpstream(t, upstream)
  assert.equal(await tryGreeting(t, port), 'a')
  assert.equal(await lb.stop(), 0)
  assert.equal(readFileSync(path, 'utf8'), 'Dear diary,\n')
  assert.match(lb.stderr, /warn .*Sticky entries are not saved for now .*it is no file of sticky entries/)
})
