import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { needs } from '../helpers/peers.ts'
import { startRelay } from '../helpers/relay-setup.ts'
import { waitUntil } from '../helpers/wait-until.ts'

const system = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim()
const hasOwn = system === 'reno' ? { skip: 'the system uses Reno for all' } : needs('ss')

/** How TCP controls the congestion of the only connection to this port. */
function congestionControl(port: number): string {
  const [, line = ''] = execFileSync('ss', ['-tinH', 'dport', '=', `:${port}`], { encoding: 'utf8' }).split('\n')
  return /\b(reno|cubic|bbr|[a-z]+) (?=wscale)/.exec(line)?.[1] ?? assert.fail(line)
}

test(
  'A large stream to a peer on this machine is not paced; a small one keeps what the system has',
  hasOwn,
  async (t) => {
    const relay = await startRelay(t)
    const { client, server } = await relay.pair()
    const [backendPort, clientPort] = [server.socket.localPort!, client.socket.localPort!]
    await client.say('hello')
    await server.hears('hello')
    await server.say('hello')
    await client.hears('hello')
    assert.deepEqual([congestionControl(backendPort), congestionControl(clientPort)], [system, system])
    const bytes = 4 << 20
    await client.say(Buffer.alloc(bytes))
    await waitUntil('the backend has all', () => server.heardBytes === bytes + 5)
    assert.deepEqual([congestionControl(backendPort), congestionControl(clientPort)], ['reno', system])
    await server.say(Buffer.alloc(bytes))
    await waitUntil('the client has all', () => client.heardBytes === bytes + 5)
    assert.deepEqual([congestionControl(backendPort), congestionControl(clientPort)], ['reno', 'reno'])
  },
)
