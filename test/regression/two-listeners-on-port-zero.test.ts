import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// Sockets were told apart by the address of the file. So two listeners with 127.0.0.1:0 had one socket, whose clients all
// went to one of the upstreams, and nobody could be told the port: status had the 0 of the file, the log nothing.
test('listeners with port 0 have a socket each, of which status and the log tell the port', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const one = 'one: { bind: ["127.0.0.1:0", "127.0.0.1:0"], upstream: a }'
  const two = 'two: { bind: "127.0.0.1:0", upstream: b }'
  const config = (...listeners: string[]) => `reload: { watch: false }
listeners: { ${listeners.join(', ')} }
upstreams:
  a: { servers: [{ address: "${a.address}" }] }
  b: { servers: [{ address: "${b.address}" }] }
`
  const lb = await LoadBalancerProcess.start(t, config(one, two))
  const addresses = async () =>
    Object.fromEntries((await lb.status()).listeners.map((listener) => [listener.name, listener.addresses]))
  const first = await addresses()
  const all = [...first.one!, ...first.two!]
  assert.equal(new Set(all).size, 3)
  assert.deepEqual(await Promise.all(all.map((address) => tryGreeting(t, portOf(address)))), ['a', 'a', 'b'])
  await waitUntil('the ports are logged', () => all.every((address) => lb.stderr.includes(`address=${address}`)))

  assert.equal((await lb.reload(config('three: { bind: "127.0.0.1:0", upstream: a }', two, one))).outcome, 'serving')
  const { three, ...kept } = await addresses()
  assert.deepEqual(kept, first, 'a reload leaves them where they are')
  assert.equal(await tryGreeting(t, portOf(three![0]!)), 'a')
  assert.equal(await tryGreeting(t, portOf(first.two![0]!)), 'b')
  assert.equal(lb.stderr.split('Listening on a port that the kernel chose').length - 1, 4, 'each is logged once')

  // The port that was chosen is written into the file.
  const pinned = two.replace('127.0.0.1:0', first.two![0]!)
  assert.equal((await lb.reload(config(one, pinned))).outcome, 'serving')
  assert.deepEqual(await addresses(), first)
  assert.equal(await tryGreeting(t, portOf(first.two![0]!)), 'b')
})

const portOf = (address: string) => Number(address.split(':').at(-1))
