import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { atEnd } from '../helpers/cleanup.ts'
import { freePort } from '../helpers/free-port.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'

test('the built program relays a connection to its backend', async (t) => {
  const backend = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1')
  atEnd(t, () => backend.close())
  await once(backend, 'listening')
  const { port } = backend.address() as { port: number }
  const listen = await freePort()
  const lb = await LoadBalancerProcess.start(
    t,
    `listeners: { edge: { bind: "127.0.0.1:${listen}", upstream: web } }
upstreams: { web: { servers: [{ address: "127.0.0.1:${port}" }] } }
`,
  )
  const client = connect(listen, '127.0.0.1')
  const chunks: Buffer[] = []
  client.on('data', (chunk: Buffer) => chunks.push(chunk))
  client.on('end', () => client.end())
  await once(client, 'close')
  assert.equal(Buffer.concat(chunks).toString(), 'hello')
  const [line] = await lb.accessLog(1)
  assert.equal(line?.cause, 'backend-closed')
  assert.equal(await lb.stop(), 0)
})
