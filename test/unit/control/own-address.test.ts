import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { ownEphemeralAddresses } from '#src/control/own-address.js'

const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number)

test('ownEphemeralAddresses() tells addresses of this machine with a port that sockets are given to connect from', () => {
  const isOne = ownEphemeralAddresses()
  for (const port of [first!, last!]) {
    for (const host of ['127.0.0.1', '127.8.9.1']) assert.equal(isOne({ family: 'ipv4', host, port }), true)
    assert.equal(isOne({ family: 'ipv6', host: '::1', port }), true)
    assert.equal(isOne({ family: 'ipv4', host: '192.0.2.1', port }), false)
    assert.equal(isOne({ family: 'ipv6', host: '2001:db8::1', port }), false)
    for (const { address, family } of Object.values(networkInterfaces()).flatMap((list) => list ?? []))
      assert.equal(isOne({ family: family === 'IPv4' ? 'ipv4' : 'ipv6', host: address, port }), true, address)
  }
  assert.equal(isOne({ family: 'ipv4', host: '127.0.0.1', port: first! - 1 }), false)
  assert.equal(isOne({ family: 'unix', path: '/run/a' }), false)
})
