import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { needs } from '../helpers/peers.ts'
import { StreamPeer } from '../helpers/stream-peer.ts'
import { waitUntil } from '../helpers/wait-until.ts'

/** A network of its own, in which the kernel has few ports to choose from. */
const narrow = 'ip link set lo up; echo 40000 40003 >/proc/sys/net/ipv4/ip_local_port_range; exec "$@"'

// Where nobody listens on a port that the kernel also gives to sockets that connect, it gave it now and then to the very
// socket that connects there, and TCP joined that to itself: the client was told its own words, the check passed, and the
// backend could not come back, because its port was taken.
test(
  'a backend that is away is not found in a socket that is connected to itself',
  needs('unshare', 'ip'),
  async (t) => {
    const lb = await LoadBalancerProcess.start(t, {
      prefix: ['unshare', '--map-root-user', '--net', 'sh', '-ec', narrow, 'sh'],
      config: `listeners:
  plain: { bind: "unix:@DIR@/plain.sock", upstream: plain }
  checked: { bind: "unix:@DIR@/checked.sock", upstream: checked }
upstreams:
  plain: { connect: { attempts: 1 }, servers: [{ address: "127.0.0.1:40002" }] }
  checked: { servers: [{ address: "127.0.0.1:40000" }], health: { type: tcp, interval: 100ms, timeout: 100ms, rise: 1, fall: 1 } }
`,
    })
    for (let n = 0; n < 200; n++) {
      const client = await StreamPeer.connect(t, `unix:${lb.directory}/plain.sock`)
      await client.say('secret')
      await waitUntil('it is turned away', () => client.ending !== 'open')
      assert.equal(client.heard, '')
    }
    const { listeners, upstreams } = await lb.status()
    assert.equal(listeners[0]!.turnedAway, 200)
    const { connections, connectFailures } = upstreams[0]!.backends[0]!
    assert.deepEqual([connections, connectFailures], [0, 200])
    assert.doesNotMatch(lb.stderr, /A backend is up/)
  },
)
