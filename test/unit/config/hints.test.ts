import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changed, faultsOf, issuesOf, minimal } from './fixture.ts'

/** The hints for lines that are put into the listener, the upstream, its first server, or the top of the file. */
function hintsOf(place: 'listener' | 'upstream' | 'server' | 'top', ...lines: string[]): string[] {
  const indent = { listener: '    ', upstream: '    ', server: '        ', top: '' }[place]
  const text = lines.map((line) => `${indent}${line}\n`).join('')
  const before = { listener: 'upstreams:', upstream: '    servers:' }[place as string]
  const file = before === undefined ? `${minimal}${text}` : changed(before, `${text}${before}`)
  return issuesOf(file).map((issue) => issue.hint)
}

function discovery(...lines: string[]): string[] {
  return hintsOf('upstream', 'discovery:', '  type: redis-keys', ...lines.map((line) => `  ${line}`))
}

test('parseConfig() writes the URL of a Redis whose host and port stand apart', () => {
  const url = (text: string) => `write url: "${text}"`
  const both = url('redis://127.0.0.1:30379')
  assert.deepEqual(discovery('redis: { host: 127.0.0.1, port: 30379 }'), [both, both])
  assert.deepEqual(discovery('redis: { host: redis.internal }'), [url('redis://redis.internal:6379')])
  assert.deepEqual(discovery('redis: { host: "::1", port: "6380" }')[0], url('redis://[::1]:6380'))
  assert.deepEqual(discovery('redis: { port: 6380, db: 3 }')[1], url('redis://127.0.0.1:6380/3'))
  assert.deepEqual(discovery(`redis: { host: "\${H:-r}", port: 1 }`)[0], url(`redis://\${H:-r}:1`))
  assert.deepEqual(discovery('redis: { host: redis, password: hunter2 }'), [
    url('redis://:PASSWORD@redis:6379'),
    url('redis://:PASSWORD@redis:6379'),
  ])
  assert.deepEqual(
    discovery('redis: { username: a, password: hunter2 }')[0],
    url('redis://USER:PASSWORD@127.0.0.1:6379'),
  )
  assert.deepEqual(discovery('redis: { address: "10.0.0.1:7" }'), [url('redis://10.0.0.1:7')])
  assert.deepEqual(hintsOf('upstream', 'sticky: { persist: { redis: { host: r } } }'), [url('redis://r:6379')])
})

test('parseConfig() quotes nothing where a host belongs that is none', () => {
  for (const host of ['redis://:hunter2@h', '"hunter2 x"', '[hunter2]', '{ hunter2: 1 }', `"\${A:-hunter2@x}"`]) {
    assert.doesNotMatch(discovery(`redis: { host: ${host}, port: hunter2 }`).join(), /hunter2/)
  }
})

test('parseConfig() says of keys that are nowhere what takes their place', () => {
  assert.deepEqual(discovery('ttl: 5s'), [
    "the entry's own time to live counts, as mcs-lb register --ttl gives it; of a sorted set it is maxAge",
  ])
  const proxy = 'not there for connections; health.proxyProtocol is for checks only'
  assert.deepEqual(hintsOf('upstream', 'proxyProtocol: v2'), [proxy])
  assert.deepEqual(hintsOf('listener', 'proxy_protocol: on'), [proxy])
  assert.deepEqual(hintsOf('server', 'send-proxy-v2: true'), [proxy])
  assert.deepEqual(hintsOf('listener', 'accept-proxy: true'), [proxy])
  const queue = 'nothing queues here: a client that finds no room meets onUnavailable at once'
  assert.deepEqual(hintsOf('listener', 'timeouts: { queue: 5s }'), [queue])
  assert.deepEqual(hintsOf('server', 'maxqueue: 5'), [queue])
  assert.deepEqual(hintsOf('listener', 'mode: tcp'), ['remove it: every connection is TCP'])
})

test("parseConfig() knows HAProxy's timeouts within timeouts as it does alone", () => {
  const within = (key: string) => hintsOf('listener', `timeouts: { ${key}: 5m }`)
  for (const key of ['server', 'client', 'tunnel']) assert.deepEqual(within(key), ['it is timeouts.idle'])
  for (const key of ['client-fin', 'server-fin']) assert.deepEqual(within(key), ['it is timeouts.halfClosed'])
  assert.deepEqual(within('connect'), ['it is upstreams.<name>.connect.timeout'])
  assert.deepEqual(within('check'), ['it is upstreams.<name>.health.timeout'])
  assert.deepEqual(hintsOf('listener', 'timeout_tunnel: 5m'), ['it is timeouts.idle'])
})

test('parseConfig() prefers the key of the same name inside to one that is spelt like it', () => {
  assert.deepEqual(hintsOf('upstream', 'maxConnections: 5'), ['it is servers[].maxConnections'])
  assert.deepEqual(hintsOf('upstream', 'slowstart: 5s'), ['did you mean slowStart?'])
  assert.deepEqual(hintsOf('upstream', 'observe: layer4'), ['did you mean outlier?'])
  assert.deepEqual(hintsOf('upstream', 'redispatch: true'), ['it is connect.attempts'])
  assert.deepEqual(hintsOf('upstream', 'connection: { drain: 5s }'), ['did you mean connections?'])
})

test('parseConfig() names the nearest place of a key, and none that has nothing to do with it', () => {
  assert.deepEqual(hintsOf('upstream', 'health: { type: http, http: { timeout: 5s } }'), [
    'it is upstreams.<name>.health.timeout',
  ])
  assert.deepEqual(discovery('redis: { prefix: "a:" }'), ['it is upstreams.<name>.discovery.prefix'])
  assert.deepEqual(hintsOf('server', 'check: true'), ['it is upstreams.<name>.health'])
  assert.deepEqual(hintsOf('upstream', 'health: { maxconn: 5 }'), ['it is upstreams.<name>.servers[].maxConnections'])
  assert.deepEqual(hintsOf('top', 'maxconn: 5'), ['it is limits.connections'])
  assert.deepEqual(hintsOf('upstream', 'ttl: 5s'), ['it is sticky.ttl'])
  for (const key of ['username', 'ttl', 'status', 'server', 'state', 'serverName']) {
    const [hint] = hintsOf('listener', `socket: { ${key}: a }`)
    assert.equal(hint, 'the keys here are backlog, keepAlive', key)
  }
})

test('parseConfig() knows algorithms by the names of nginx and HAProxy, also with their arguments', () => {
  const balance = (text: string) => hintsOf('upstream', `balance: ${text}`)
  const meant = {
    'round-robin': ['roundrobin', 'static-rr', 'rr'],
    'least-connections': ['leastconn', 'least_conn'],
    'least-latency': ['least_time', 'least_time connect', 'least_time first_byte'],
    'random-two': ['random two least_conn', 'random two', 'random(2)', 'random(3)'],
    random: ['random(1)'],
    'source-hash': [
      'source',
      'hash',
      'ip_hash',
      'hash $remote_addr consistent',
      'hash $binary_remote_addr',
      'hash src',
    ],
  }
  for (const [word, texts] of Object.entries(meant)) {
    for (const text of texts) assert.deepEqual(balance(text), [`did you mean ${word}?`], text)
  }
  assert.deepEqual(balance('first'), ['give each server a priority of its own, and maxConnections'])
  assert.deepEqual(balance('$BALANCE'), [`write \${BALANCE} or \${BALANCE:-default}, or $$ for a dollar`])
  assert.match(balance('uri').join(), /^write one of round-robin/)
})

test('parseConfig() has text that ends in a colon put in quotes', () => {
  const fault = (line: string) => faultsOf(changed('    servers:', `    discovery:\n      ${line}\n    servers:`))
  const quotes = (at: string) => [`${at}  | text that ends in a colon is a key | put it in quotes: "mcs:node:"`]
  assert.deepEqual(fault('prefix: mcs:node:'), quotes('9:15'))
  assert.deepEqual(fault('prefix: mcs:node:   # ours'), quotes('9:15'))
  assert.deepEqual(fault('prefix: mcs:node:\n      type: redis-keys'), quotes('9:15'))
  const flow = (text: string) => faultsOf(changed('    servers:', `    discovery: ${text}\n    servers:`))
  assert.deepEqual(flow('{ type: redis-keys, prefix: mcs:node: }'), quotes('8:44'))
  assert.deepEqual(flow('{ prefix: mcs:node:, type: redis-keys }'), quotes('8:26'))
  assert.doesNotMatch(fault('redis: { url: redis://hunter2: }').join(), /hunter2/)
  assert.doesNotMatch(fault('password: hunter2:').join(), /hunter2/)
  assert.doesNotMatch(fault('colour: hunter2:').join(), /hunter2/)
  assert.match(fault('password: hunter2:').join(), /put it in quotes$/)
  assert.match(fault('prefix: a: b').join(), /a nested map cannot start on this line/)
})

test('parseConfig() shows how a map is written where one value stands', () => {
  const write = (text: string) => [`write ${text}`]
  assert.deepEqual(discovery('redis: "redis://:hunter2@h:1"'), write('{ url: "redis://…" }'))
  assert.deepEqual(discovery('redis: "rediss://h"'), write('{ url: "rediss://…" }'))
  assert.deepEqual(hintsOf('upstream', 'sticky: { persist: ./sticky.jsonl }'), write('{ path: ./sticky.jsonl }'))
  assert.deepEqual(hintsOf('upstream', 'sticky: { persist: redis://h }'), write('{ redis: { url: "redis://…" } }'))
  assert.deepEqual(
    hintsOf('upstream', 'sticky: { persist: true }'),
    write('{ path: ./sticky.jsonl }, or { redis: {} }'),
  )
  assert.deepEqual(hintsOf('upstream', 'sticky: 30m'), write('{ ttl: 30m }'))
  assert.deepEqual(hintsOf('upstream', 'health: http'), write('{ type: http }'))
  assert.deepEqual(hintsOf('upstream', 'discovery: redis-keys'), write('{ type: redis-keys }'))
  assert.deepEqual(hintsOf('upstream', 'connect: 5s'), write('{ timeout: 5s }'))
  assert.deepEqual(hintsOf('top', 'accessLog: stdout'), write('{ to: stdout }'))
  assert.deepEqual(hintsOf('top', 'admin: /run/a.sock'), write('{ socket: /run/a.sock }'))
  assert.deepEqual(hintsOf('top', 'log: debug'), write('{ level: debug }'))
  assert.deepEqual(hintsOf('top', 'reload: false'), write('{ watch: false }'))
  assert.deepEqual(hintsOf('listener', 'timeouts: 5m'), write('a map of keys and values'))
})

test('parseConfig() says where {} is enough', () => {
  const defaults = 'write {} for the defaults'
  for (const key of ['sticky', 'outlier', 'health']) {
    assert.deepEqual(hintsOf('upstream', `${key}: true`), [defaults])
    assert.deepEqual(hintsOf('upstream', `${key}: on`), [defaults])
    assert.deepEqual(hintsOf('upstream', `${key}: false`), ['remove it: without it there is none'])
    assert.deepEqual(hintsOf('upstream', `${key}:`), [`remove it, or ${defaults}`])
  }
  assert.deepEqual(
    issuesOf('version: 1\nlisteners:\nupstreams:\n  chat:\n').map((issue) => issue.hint),
    ['write a map of names', 'remove it, or write a map with servers or discovery'],
  )
  assert.deepEqual(hintsOf('upstream', 'discovery:'), ['remove it, or write a map with type'])
  assert.deepEqual(hintsOf('upstream', 'discovery: true'), ['write a map with type'])
})

test('parseConfig() says how a list is written that stands where a map is meant', () => {
  const check = 'an upstream has one check, which is a map; send-expect includes the connect'
  assert.deepEqual(hintsOf('upstream', 'health: [{ type: tcp }, { type: send-expect }]'), [check])
  const names = 'write a map: each name with a colon, and its keys indented below'
  assert.deepEqual(
    issuesOf('version: 1\nlisteners:\n  - { name: edge }\nupstreams:\n  - { name: chat }\n').map((issue) => issue.hint),
    [names, names],
  )
})

test('parseConfig() writes the map out where a list of networks or ports stands', () => {
  const allow = (text: string) => discovery(`allow: ${text}`)
  assert.deepEqual(allow('[10.0.0.0/8, "fd00::/8"]'), ['write { networks: [10.0.0.0/8] }'])
  assert.deepEqual(allow('10.0.0.0/8'), ['write { networks: [10.0.0.0/8] }'])
  assert.deepEqual(allow('[9100-9200]'), ['write { ports: [9100-9200] }'])
  for (const text of ['[]', '["\u001b[2J"]', `["\${A:-10.9.0.1}"]`, '[[]]']) {
    assert.deepEqual(allow(text), ['write { networks: [10.0.0.0/8] }'], text)
  }
})

test('parseConfig() knows states, types of checks and keys of sticky sessions by the names of HAProxy', () => {
  for (const state of ['maint', 'disabled', 'DOWN']) {
    assert.deepEqual(hintsOf('server', `state: ${state}`), ['did you mean maintenance?'], state)
  }
  assert.deepEqual(hintsOf('server', 'state: up'), ['did you mean ready?'])
  const types = { http: ['httpchk', 'option httpchk'], 'send-expect': ['tcp-check'], postgres: ['pgsql-check'] }
  for (const [type, words] of Object.entries(types)) {
    for (const word of words)
      assert.deepEqual(hintsOf('upstream', `health: { type: ${word} }`), [`did you mean ${type}?`])
  }
  assert.deepEqual(hintsOf('upstream', 'sticky: { expire: 30m }'), ['did you mean ttl?'])
})

test('parseConfig() writes the version out that is missing', () => {
  assert.deepEqual(faultsOf(changed('version: 1\n', '')), ['1:1  | the key "version" is missing | add "version: 1"'])
})

test('parseConfig() refuses a prefix that is a pattern, and quotation marks that are none to YAML', () => {
  const fault = (line: string) => discoveryFaults(`{ type: redis-keys, ${line} }`)
  const discoveryFaults = (text: string) =>
    faultsOf(changed('    servers:', `    discovery: ${text}\n    servers:`)).map((told) =>
      told.replace(/^.*? \| /, ''),
    )
  assert.deepEqual(fault('prefix: "mcs:node:*"'), ['"mcs:node:*" ends in a "*" | write "mcs:node:"; it is no pattern'])
  assert.deepEqual(fault('prefix: "*"'), ['"*" ends in a "*" | write what keys begin with; it is no pattern'])
  assert.deepEqual(fault('prefix: “mcs:node:”'), [
    '"“mcs:node:”" has typographic quotation marks | write "mcs:node:", with plain ones',
  ])
  assert.deepEqual(discoveryFaults('{ type: redis-sorted-set, key: „mcs:node“ }'), [
    '"„mcs:node“" has typographic quotation marks | write "mcs:node", with plain ones',
  ])
  assert.deepEqual(fault('prefix: 12'), ['12 is a number, not text | put it in quotes'])
  assert.equal(hintsOf('upstream', 'sticky: { persist: { redis: {}, key: ‘a’ } }').join(), 'write "a", with plain ones')
})

test('parseConfig() knows the sections of the process and lists of servers by the names of others', () => {
  assert.deepEqual(hintsOf('top', 'stats: {}'), ['did you mean admin?'])
  assert.deepEqual(hintsOf('top', 'stats_socket: /run/a.sock'), ['it is admin.socket'])
  for (const key of ['nodes', 'members', 'endpoints', 'targets']) {
    assert.deepEqual(hintsOf('upstream', `${key}: [a]`), ['did you mean servers?'], key)
  }
  assert.deepEqual(hintsOf('listener', 'proxy_buffer_size: 4k'), ['it is limits.pendingBytes'])
  assert.deepEqual(hintsOf('upstream', 'health: { ssl: true }'), ['did you mean tls?'])
})

test('parseConfig() says of keys that have another form here what to write', () => {
  const retries = 'it is connect.attempts of the upstream, one more than retries: the first try counts'
  assert.deepEqual(hintsOf('upstream', 'retries: 3'), [retries])
  assert.deepEqual(hintsOf('upstream', 'connect: { retries: 3 }'), [retries])
  assert.deepEqual(hintsOf('upstream', 'zone: chat 64k'), ['remove it: workers share their counts'])
  assert.deepEqual(hintsOf('listener', 'maxconn: 4'), [
    'not there for one listener; limits.connections is of the whole process',
  ])
  assert.deepEqual(hintsOf('server', 'resolve: true'), [
    'addresses of a host name are found by the upstream: discovery: { type: dns }',
  ])
  assert.deepEqual(hintsOf('server', 'weight: 0'), ['write a whole number from 1 to 256, or state: drain in its place'])
  assert.deepEqual(hintsOf('upstream', 'health: { type: http, path: /live }'), ['it is http.path'])
  const found = hintsOf('upstream', 'discovery: { type: redis, url: "redis://:hunter2@redis" }')
  assert.deepEqual(found, ['did you mean redis-keys?', 'it is redis.url'])
  const merge = ['merge keys are not there; write the keys out']
  assert.deepEqual(hintsOf('server', '<<: {}'), merge)
  assert.deepEqual(
    issuesOf(changed('  edge:', '  <<: {}\n  edge:')).map((issue) => issue.hint),
    merge,
  )
})

test('parseConfig() writes the list of status codes out', () => {
  const status = (text: string) => hintsOf('upstream', `health: { type: http, http: { status: ${text} } }`)
  assert.deepEqual(status('2xx'), ['write ["200-299"]'])
  assert.deepEqual(status('[4XX]'), ['write "400-499"'])
  assert.deepEqual(status('200'), ['write [200]'])
  assert.deepEqual(status('200-299'), ['write ["200-299"]'])
})

test('parseConfig() writes the address out where a port stands', () => {
  const bind = (text: string) => issuesOf(changed('127.0.0.1:64400', text)).map((issue) => issue.hint)
  const hint = 'write "0.0.0.0:80" for IPv4, "[::]:80" for IPv6, or both in a list'
  for (const text of ['80', '"80"', '[80]']) assert.deepEqual(bind(text), [hint], text)
  assert.doesNotMatch(bind('70000').join(), /70000/)
})

test('parseConfig() says of what is not there which page has more', () => {
  const nginx = ['not there; see docs/from-nginx.md']
  for (const line of ['allow: all', 'deny: all', 'ssl: true', 'ssl_preread: on', 'limit_conn: a 1', 'proxy_bind: a']) {
    assert.deepEqual(hintsOf('listener', line), nginx, line)
  }
  for (const line of ['proxy_upload_rate: 1m', 'proxy_download_rate: 1m', 'map: {}']) {
    assert.deepEqual(hintsOf('listener', line), nginx, line)
  }
  assert.deepEqual(hintsOf('top', 'include: a.yaml'), nginx)
  assert.deepEqual(hintsOf('server', 'ssl: true'), nginx)
  const haproxy = ['not there; see docs/from-haproxy.md']
  assert.deepEqual(hintsOf('listener', 'acl: a'), haproxy)
  assert.deepEqual(hintsOf('top', 'defaults: {}'), haproxy)
  assert.deepEqual(hintsOf('upstream', 'source: 10.0.0.1'), haproxy)
  for (const key of ['user', 'group', 'daemon', 'chroot', 'pidfile']) {
    assert.match(hintsOf('top', `${key}: a`).join(), /the systemd unit; see docs\/from-haproxy\.md$/)
  }
  assert.match(hintsOf('top', 'global: {}').join(), /the top of the file; see docs\/from-haproxy\.md$/)
  assert.match(hintsOf('top', 'stream: {}').join(), /listeners and upstreams; see docs\/from-nginx\.md$/)
  assert.deepEqual(hintsOf('upstream', 'allow: { networks: [] }'), ['it is discovery.allow'])
})
