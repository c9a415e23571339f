import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changed, minimal, warningsIn } from './fixture.ts'

const servers = '    servers:\n      - address: 10.0.0.1:9100\n'
const two = 'servers: [{ address: "10.0.0.1:1" }, { address: "10.0.0.2:1" }]'

/** The warnings of an upstream that is only these lines, the first of which is line 8. */
function only(...lines: string[]): string[] {
  return warningsIn(changed(servers, lines.map((line) => `    ${line}\n`).join('')))
}

test('warningsOf() has nothing to say of a plain file, nor of defaults that are written out', () => {
  assert.deepEqual(warningsIn(minimal), [])
  assert.deepEqual(only(two, 'panicThreshold: 0%', 'connections: { onRemoved: keep, onUnhealthy: keep }'), [])
  assert.deepEqual(only('discovery: { type: redis-sorted-set, maxAge: 10s, score: heartbeat }'), [])
})

test('warnTakenOut() tells of an upstream whose servers all take no clients', () => {
  const out = 'servers: [{ address: "10.0.0.1:1", state: drain }, { address: "10.0.0.2:1", state: maintenance }]'
  assert.deepEqual(only(out), [
    '8:5 upstreams.chat.servers | no server of this upstream takes new clients: each is state: drain or maintenance | take state out at one, or write state: ready',
  ])
  assert.deepEqual(only(out.replace('maintenance', 'ready')), [])
  assert.deepEqual(only(out, 'discovery: { type: redis-keys }'), [])
})

test('warnOnlyBackups() tells of an upstream of backups', () => {
  const backups = 'servers: [{ address: "10.0.0.1:1", backup: true }, { address: "10.0.0.2:1", backup: true }]'
  assert.deepEqual(only(backups), [
    '8:5 upstreams.chat.servers | every server of this upstream is a backup: they serve at once, as there is no other | take backup out at those that are to serve first',
  ])
  assert.deepEqual(only(backups.replace('1:1", backup: true', '1:1", state: drain')), [])
  assert.deepEqual(only(backups, 'discovery: { type: redis-keys }'), [])
})

test('warnStickyHash() tells of entries that come before the hash', () => {
  assert.deepEqual(only(two, 'balance: source-hash', 'sticky: {}'), [
    '10:5 upstreams.chat.sticky | an entry of "sticky" counts before source-hash: instances then disagree on where a client belongs | remove sticky, or write another balance',
  ])
  assert.deepEqual(only(two, 'balance: random', 'sticky: {}'), [])
})

test('warnCheckPort() tells of one port that speaks for several servers', () => {
  const sameHost = 'servers: [{ address: "[fd00::1]:1" }, { address: "10.0.0.1:1" }, { address: "[fd00:0::1]:2" }]'
  assert.deepEqual(only(sameHost, 'health: { port: 80 }'), [
    '9:21 upstreams.chat.health.port | several servers of this upstream are on fd00::1, and port 80 speaks for all of them | remove it: each is then checked at its own port',
  ])
  assert.deepEqual(only(sameHost, 'health: { port: 80, address: 10.0.0.9 }'), [])
  assert.deepEqual(only(two, 'health: { port: 80 }'), [])
  assert.deepEqual(
    only('servers: [{ address: "unix:/run/a" }, { address: "unix:/run/b" }]', 'health: { port: 80 }'),
    [],
  )
})

test('warnSingleOutlier() tells of the only server, which is not ejected', () => {
  const one = 'servers: [{ address: "10.0.0.1:1" }]'
  assert.deepEqual(only(one, 'outlier: { maxShare: 50% }'), [
    '9:5 upstreams.chat.outlier | "outlier" has no effect: the only server of an upstream is not ejected | remove it, or add a server',
  ])
  assert.deepEqual(only(one, 'outlier: { maxShare: 100% }'), [])
  assert.deepEqual(only(one, 'outlier: {}', 'discovery: { type: redis-keys }'), [])
})

test('warnPanicThreshold() tells of a threshold that nothing reaches', () => {
  assert.deepEqual(only(two, 'panicThreshold: 50%'), [
    '9:5 upstreams.chat.panicThreshold | "panicThreshold" has no effect: nothing tells which backends are healthy | add health or outlier, or remove it',
  ])
  assert.deepEqual(only(two, 'panicThreshold: 50%', 'outlier: {}'), [])
  assert.deepEqual(only(two, 'panicThreshold: 50%', 'health: {}'), [])
})

test('warnOnUnhealthy() tells of connections that no check ends', () => {
  assert.deepEqual(only(two, 'connections: { onUnhealthy: close }', 'outlier: {}'), [
    '9:20 upstreams.chat.connections.onUnhealthy | "onUnhealthy" has no effect: backends are not checked | add health, or remove it',
  ])
  assert.deepEqual(only(two, 'connections: { onUnhealthy: drain }', 'health: {}'), [])
})

test('warnDrain() tells of a time that no connections have', () => {
  assert.deepEqual(only(two, 'connections: { onRemoved: close, drain: 5s }'), [
    '9:38 upstreams.chat.connections.drain | "drain" has no effect: no connections drain | write onRemoved: drain or onUnhealthy: drain, or remove it',
  ])
  assert.deepEqual(only(two, 'connections: { onRemoved: drain, drain: 5s }'), [])
})

test('warnSourcePrefix() tells of a prefix that nobody asks for', () => {
  assert.deepEqual(only(two, 'sourcePrefix: { ipv6: 56 }'), [
    '9:5 upstreams.chat.sourcePrefix | "sourcePrefix" has no effect: nothing asks who a client is | add sticky or balance: source-hash, or remove it',
  ])
  assert.deepEqual(only(two, 'sourcePrefix: { ipv6: 56 }', 'sticky: {}'), [])
  assert.deepEqual(only(two, 'sourcePrefix: { ipv6: 56 }', 'balance: source-hash'), [])
})

test('warnHoldBack() tells of a time that no update is held back for', () => {
  assert.deepEqual(only('discovery: { type: redis-keys, maxRemoval: 100%, holdBack: 5m }'), [
    '8:54 upstreams.chat.discovery.holdBack | "holdBack" has no effect: with maxRemoval: 100% no update is held back | remove it, or write a smaller maxRemoval',
  ])
  assert.deepEqual(only('discovery: { type: redis-keys, maxRemoval: 100% }'), [])
  assert.deepEqual(only('discovery: { type: redis-keys, maxRemoval: 99%, holdBack: 5m }'), [])
})

test('warnHeartbeats() tells of an age that a heartbeat can be too late for', () => {
  assert.deepEqual(only('discovery: { type: redis-sorted-set, maxAge: 5999ms }'), [
    '8:50 upstreams.chat.discovery.maxAge | with maxAge: 5999ms a late heartbeat removes its backend: mcs-lb register sends one every 2s | write 6s or more',
  ])
  assert.deepEqual(only('discovery: { type: redis-sorted-set, maxAge: 6s }'), [])
  assert.deepEqual(only('discovery: { type: redis-sorted-set, maxAge: 1s, score: expiry }'), [])
})

test('warnServiceName() tells of a service whose addresses are looked up', () => {
  const warning = '"_chat._tcp.x" is a name of SRV records, and addresses are looked up'
  const hint = 'write record: srv, and remove port'
  assert.deepEqual(only('discovery: { type: dns, name: _chat._tcp.x, port: 1 }'), [
    `8:35 upstreams.chat.discovery.name | ${warning} | ${hint}`,
  ])
  assert.deepEqual(only('discovery: { type: dns, name: _chat._tcp.x, record: srv }'), [])
  assert.deepEqual(only('discovery: { type: dns, name: _chat.x, port: 1 }'), [])
})

test('warnPrefix() tells of a prefix whose last colon is missing', () => {
  assert.deepEqual(only('discovery: { type: redis-keys, prefix: "mcs:node" }'), [
    '8:44 upstreams.chat.discovery.prefix | behind "mcs:node" a key must go on with the address: one with a colon between them is refused | write "mcs:node:" for keys such as "mcs:node:10.0.0.1:9100"',
  ])
  for (const prefix of ['mcs:node:', 'node/', 'node-', 'node.']) {
    assert.deepEqual(only(`discovery: { type: redis-keys, prefix: "${prefix}" }`), [])
  }
})

test('warnFastInterval() tells of a fast interval that is slow, and of no default', () => {
  assert.deepEqual(only(two, 'health: { interval: 1s, fastInterval: 1001ms }'), [
    '9:43 upstreams.chat.health.fastInterval | fastInterval: 1001ms is slower than interval: 1s | write a shorter one, or remove it',
  ])
  assert.deepEqual(only(two, 'health: { interval: 1s, fastInterval: 1s }'), [])
  assert.deepEqual(only(two, 'health: { fastInterval: 1m }'), [])
})

test('warnIdle() tells of an idle timeout that no connection lives to see, and of no default', () => {
  const timeouts = (text: string) =>
    warningsIn(changed('    upstream: chat\n', `    timeouts: { ${text} }\n    upstream: chat\n`))
  assert.deepEqual(timeouts('idle: 10m, maxDuration: 5m'), [
    '5:23 listeners.edge.timeouts.idle | idle: 10m is never reached: maxDuration: 5m ends the connection before | write a shorter one, or remove it',
  ])
  for (const text of ['maxDuration: 5m', 'idle: unlimited, maxDuration: 5m', 'idle: 1h, maxDuration: unlimited']) {
    assert.deepEqual(timeouts(text), [])
  }
})

test('warnUnused() tells of an upstream that no listener names', () => {
  assert.deepEqual(warningsIn(`${minimal}  spare: { servers: [{ address: "10.0.0.2:1" }] }\n`), [
    '10:3 upstreams.spare | no listener names this upstream: no client comes to it | name it at a listener, or remove it',
  ])
})

test('warnMissingFiles() tells of files that are read and are not there, and of none that is written', () => {
  const hint = 'make it, or write another path'
  assert.deepEqual(
    only('discovery: { type: file, path: /missing/a.json }', 'health: { type: tls, tls: { ca: ../../missing/b } }'),
    [
      `8:36 upstreams.chat.discovery.path | there is no file "/missing/a.json" on this machine | ${hint}`,
      `9:37 upstreams.chat.health.tls.ca | there is no file "/missing/b" on this machine | ${hint}`,
    ],
  )
  const written = 'accessLog: { to: /missing/a }\nadmin: { socket: /missing/b }\nstate: { directory: /missing/c }\n'
  assert.deepEqual(warningsIn(`${written}${minimal}    sticky: { persist: { path: /missing/d } }\n`), [])
})

test('parseConfig() gives warnings in the order of the file, a hundred of them, and counts the others', () => {
  const spare = (count: number) =>
    Array.from({ length: count }, (_, n) => `  u${n}: { servers: [{ address: "10.0.0.2:1" }] }\n`).join('')
  const warnings = warningsIn(`${minimal}    panicThreshold: 1%\n${spare(102)}`)
  assert.equal(warnings.length, 101)
  assert.match(warnings[0] ?? '', /^10:5 upstreams\.chat\.panicThreshold /)
  assert.match(warnings[100] ?? '', / \| 3 more warnings are not listed \| /)
})
