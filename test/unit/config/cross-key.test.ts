import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkKeys } from '#src/config/cross-key.js'
import { changed, faultsOf, minimal, parse } from './fixture.ts'

const servers = '    servers:\n      - address: 10.0.0.1:9100\n'

/** The faults of an upstream with one server and one more line, which is line 10. */
function withLine(line: string): string[] {
  return faultsOf(`${minimal}    ${line}\n`)
}

/** The faults of an upstream that is only this line, which is line 8. */
function only(line: string): string[] {
  return faultsOf(changed(servers, `    ${line}\n`))
}

test('checkKeys() refuses an upstream that can have no backends', () => {
  const fault = 'this upstream has no backends | list them under "servers", or have "discovery" find them'
  assert.deepEqual(only('servers: []'), [`7:3 upstreams.chat | ${fault}`])
  assert.deepEqual(only('balance: random'), [`7:3 upstreams.chat | ${fault}`])
  assert.equal(parse(changed(servers, '    servers: []\n    discovery: { type: redis-keys }\n')).upstreams.length, 1)
})

test('checkKeys() refuses a backup that has a priority', () => {
  assert.deepEqual(only('servers: [{ address: "10.0.0.1:1", priority: 1, backup: true }]'), [
    '8:40 upstreams.chat.servers[0].priority | a backup has no priority: it comes after all of them | remove one of the two',
  ])
  assert.equal(
    parse(changed('      - address: 10.0.0.1:9100', '      - { address: "10.0.0.1:1", priority: 1, backup: false }'))
      .upstreams[0]?.servers[0]?.priority,
    1,
  )
})

test('checkKeys() refuses what belongs to another type of check', () => {
  assert.deepEqual(withLine('health: { http: {} }'), [
    '10:15 upstreams.chat.health.http | "http" is of type http, and not of type tcp | write type: http, or remove it',
  ])
  assert.deepEqual(withLine('health: { type: http, steps: [{ send: x }], redis: {}, postgres: {} }'), [
    '10:27 upstreams.chat.health.steps | "steps" is of type send-expect, and not of type http | write type: send-expect, or remove it',
    '10:49 upstreams.chat.health.redis | "redis" is of type redis, and not of type http | write type: redis, or remove it',
    '10:60 upstreams.chat.health.postgres | "postgres" is of type postgres, and not of type http | write type: postgres, or remove it',
  ])
  assert.deepEqual(withLine('health: { tls: {} }'), [
    '10:15 upstreams.chat.health.tls | "tls" is not of type tcp | write type: tls, or remove it',
  ])
  for (const type of ['tls', 'http', 'redis', 'postgres']) {
    assert.equal(parse(`${minimal}    health: { type: ${type}, tls: {} }\n`).upstreams[0]?.health?.tls?.verify, true)
  }
})

test('checkKeys() refuses a check that no answer could pass', () => {
  const message = 'an answer to HEAD has no body, so that no check could pass | write method: GET, or remove it'
  assert.deepEqual(withLine('health: { type: http, http: { method: HEAD, body: ok } }'), [
    `10:49 upstreams.chat.health.http.body | ${message}`,
  ])
  assert.ok(parse(`${minimal}    health: { type: http, http: { method: HEAD, body: "" } }\n`))
})

test('checkKeys() says nothing about the keys of a type that is not known', () => {
  assert.deepEqual(withLine('health: { type: htp, http: {}, tls: {} }'), [
    '10:21 upstreams.chat.health.type | "htp" is not one of tcp, tls, send-expect, http, redis, postgres | did you mean http?',
  ])
  assert.deepEqual(only('discovery: { type: redis, prefix: a, key: b }'), [
    '8:24 upstreams.chat.discovery.type | "redis" is not one of redis-keys, redis-sorted-set, dns, file | did you mean redis-keys?',
  ])
  assert.deepEqual(only('discovery: { prefix: a }'), [
    '8:5 upstreams.chat.discovery | the key "type" is missing | add it: one of redis-keys, redis-sorted-set, dns, file',
  ])
})

test('checkKeys() refuses steps that are missing, empty or double', () => {
  assert.deepEqual(withLine('health: { type: send-expect }'), [
    '10:5 upstreams.chat.health | send-expect has no steps | list them under "steps"',
  ])
  const hint = 'write one of send, sendHex, expect, expectHex'
  assert.deepEqual(withLine('health: { type: send-expect, steps: [{}, { send: a, expect: b }] }'), [
    `10:42 upstreams.chat.health.steps[0] | a step that does nothing | ${hint}`,
    `10:46 upstreams.chat.health.steps[1] | a step has one key, not send and expect | ${hint}`,
  ])
  assert.deepEqual(withLine('health: { type: send-expect, steps: [] }'), [
    '10:41 upstreams.chat.health.steps | this is empty | give it at least one entry',
  ])
})

test('checkKeys() refuses what belongs to another type of discovery', () => {
  assert.deepEqual(only('discovery: { type: redis-keys, key: a, name: b }'), [
    '8:36 upstreams.chat.discovery.key | "key" is not of type redis-keys | write type: redis-sorted-set, or remove it',
    '8:44 upstreams.chat.discovery.name | "name" is not of type redis-keys | write type: dns, or remove it',
  ])
  assert.deepEqual(only('discovery: { type: file, path: ./a, redis: {} }'), [
    '8:41 upstreams.chat.discovery.redis | "redis" is not of type file | write type: redis-keys or redis-sorted-set, or remove it',
  ])
})

test('checkKeys() names what a type of discovery needs', () => {
  assert.deepEqual(only('discovery: { type: file }'), [
    '8:5 upstreams.chat.discovery | discovery of type file needs "path" | add path',
  ])
  assert.deepEqual(only('discovery: { type: dns }'), [
    '8:5 upstreams.chat.discovery | discovery of type dns needs "name" | add name',
    '8:5 upstreams.chat.discovery | discovery of type dns needs "port" | add port',
  ])
  assert.deepEqual(only('discovery: { type: dns, name: _chat._tcp.example.com }'), [
    '8:5 upstreams.chat.discovery | discovery of type dns needs "port" | write record: srv, which brings ports; else add port',
  ])
  assert.deepEqual(only('discovery: { type: dns, name: a, record: srv, port: 1 }'), [
    '8:51 upstreams.chat.discovery.port | "port" is not of SRV records: they bring their own | remove it',
  ])
})

test('checkRedis() refuses keys that exclude each other', () => {
  const redis = (text: string) => only(`discovery: { type: redis-keys, redis: { ${text} } }`)
  const path = 'upstreams.chat.discovery.redis'
  assert.deepEqual(redis('sentinel: { master: m, nodes: ["a:1"] }, cluster: ["b:1"]'), [
    `8:86 ${path}.cluster | a Redis is behind Sentinel, or it is a cluster | remove "cluster" or "sentinel"`,
  ])
  assert.deepEqual(redis('url: "redis://:secret@h/1", cluster: ["b:1"]'), [
    `8:50 ${path}.url | a cluster has no database but 0 | remove the number at the end of the URL`,
  ])
  const tls = '"tls" is of rediss:// URLs, and this one is redis:// | write rediss:// in "url", or remove it'
  assert.deepEqual(redis('tls: {}'), [`8:45 ${path}.tls | ${tls}`])
  assert.deepEqual(redis('url: "REDIS://h", tls: {}'), [`8:63 ${path}.tls | ${tls}`])
  assert.deepEqual(redis('sentinel: {}'), [
    `8:45 ${path}.sentinel | the key "master" is missing | add it: name of the master`,
    `8:45 ${path}.sentinel | the key "nodes" is missing | add it: sentinels, \`host:port\``,
  ])
  assert.equal(
    parse(changed(servers, '    discovery: { type: redis-keys, redis: { url: "rediss://h", tls: {} } }\n')).upstreams
      .length,
    1,
  )
})

test('checkPersist() wants one place for entries', () => {
  const persist = (text: string) => withLine(`sticky: { persist: { ${text} } }`)
  const path = 'upstreams.chat.sticky.persist'
  assert.deepEqual(persist(''), [`10:15 ${path} | it is not said where entries are kept | write path, or redis`])
  assert.deepEqual(persist('path: ./a, redis: {}'), [
    `10:15 ${path} | entries are kept in one place | write path, or redis`,
  ])
  assert.deepEqual(persist('path: ./a, key: b'), [
    `10:37 ${path}.key | "key" is of redis, and not of path | remove it, or write redis in place of path`,
  ])
  assert.match(persist('redis: { tls: {} }').join(), /^10:35 .*persist\.redis\.tls \| "tls" is of rediss:/)
})

test('checkOutlier() wants the longest ejection to be the longest', () => {
  const fault = 'the first ejection is longer than the longest | give maxEjection at least the time of ejection'
  assert.deepEqual(withLine('outlier: { ejection: 10m }'), [`10:26 upstreams.chat.outlier.ejection | ${fault}`])
  assert.deepEqual(withLine('outlier: { maxEjection: 10s }'), [`10:29 upstreams.chat.outlier.maxEjection | ${fault}`])
  assert.equal(
    parse(`${minimal}    outlier: { ejection: 10m, maxEjection: 10m }\n`).upstreams[0]?.outlier?.ejectionMs,
    600_000,
  )
})

test('checkOutlier() leaves what is no duration to the schema', () => {
  assert.match(
    withLine('outlier: { ejection: { a: 1 } }').join(),
    /^10:26 upstreams\.chat\.outlier\.ejection \| a map /,
  )
})

test('checkKeys() takes any data, and throws nothing', () => {
  const keys = fc.constantFrom(
    'health',
    'type',
    'steps',
    'discovery',
    'redis',
    'sticky',
    'persist',
    'tls',
    'servers',
    'outlier',
    'ejection',
  )
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      fc.constantFrom('dns', 'srv', 'redis-keys', 'tcp', 5, null, true, '5s'),
      tie('map'),
      fc.array(tie('tree')),
    ),
    map: fc.dictionary(keys, tie('tree')),
  }))
  fc.assert(fc.property(tree, (value) => void checkKeys({ upstreams: { chat: value, other: { discovery: value } } })))
})
