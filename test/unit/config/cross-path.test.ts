import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultsOf, parse } from './fixture.ts'

/** A file with an upstream `chat`, and what else it says. */
function withPath(path: string, upstream = '', upstreams = '', top = ''): string {
  return `version: 1
${top}
listeners: { edge: { bind: "unix:/run/edge.sock", upstream: chat } }
upstreams:
  chat: { sticky: { persist: { path: ${path} } }, servers: [{ address: "unix:/run/back.sock" }], ${upstream} }
${upstreams}
`
}

/** Messages and hints of its faults. */
function messagesOf(text: string): string[] {
  return faultsOf(text).map((fault) => fault.split(' | ').slice(1).join('; '))
}

test('checkWrittenPaths() refuses the configuration file, also through a symbolic link', () => {
  const configFile = 'this is the configuration file; write another file'
  assert.deepEqual(messagesOf(withPath('./lb.yaml')), [configFile])
  assert.deepEqual(messagesOf(withPath('/link/lb.yaml')), [configFile])
  assert.match(faultsOf(withPath('./lb.yaml')).join(), /^5:38 upstreams\.chat\.sticky\.persist\.path \|/)
  assert.equal(parse(withPath('./lb.yaml.new')).upstreams.length, 1)
})

test('checkWrittenPaths() refuses what another key names', () => {
  const file = './x'
  const ca = 'redis: { url: "rediss://10.0.0.1", tls: { ca: ./x } }'
  for (const [text, key] of [
    [withPath(file, '', '', 'accessLog: { to: ./x }'), 'accessLog.to'],
    [withPath(file, '', '', 'admin: { socket: ./x }'), 'admin.socket'],
    [withPath(file, '', '', 'state: { directory: ./x }'), 'state.directory'],
    [withPath('/var/log/mcs-lb/access.log'), 'accessLog.to'],
    [withPath('/run/edge.sock'), 'listeners.edge.bind'],
    [withPath('/run/back.sock'), 'upstreams.chat.servers[0].address'],
    [withPath(file, 'health: { type: tls, tls: { ca: ./x } }'), 'upstreams.chat.health.tls.ca'],
    [withPath(file, 'discovery: { type: file, path: ./x }'), 'upstreams.chat.discovery.path'],
    [withPath(file, `discovery: { type: redis-keys, ${ca} }`), 'upstreams.chat.discovery.redis.tls.ca'],
    [
      withPath(file, '', `  other: { sticky: { persist: { ${ca} } }, servers: [{ address: "10.0.0.1:1" }] }`),
      'upstreams.other.sticky.persist.redis.tls.ca',
    ],
  ] as const)
    assert.deepEqual(messagesOf(text), [`${key} names it too; write another file`])
  assert.deepEqual(messagesOf(withPath(file, '', '', 'accessLog: { to: ./x.new }')), [
    'a save writes "/etc/mcs-lb/x.new" first: accessLog.to names it too; write another file',
  ])
  const discovery = 'discovery: { type: file, path: ./list }'
  assert.deepEqual(messagesOf(withPath('/var/lib/mcs-lb/members-chat.json', discovery)), [
    'the last good members of the upstream "chat" are kept in it; write another file',
  ])
  assert.equal(parse(withPath('/var/lib/mcs-lb/sticky', discovery)).upstreams.length, 1)
})

test('checkWrittenPaths() refuses one file for two upstreams, also through a symbolic link', () => {
  const two = (path: string) =>
    withPath('./a', '', `  other: { sticky: { persist: { path: ${path} } }, servers: [{ address: "10.0.0.1:1" }] }`)
  const message = 'entries of the upstream "chat" are kept in this file already; write another file'
  for (const path of ['./a', '././a', '../mcs-lb/a', '/etc/mcs-lb/a', '/link/a'])
    assert.deepEqual(messagesOf(two(path)), [message], path)
  assert.match(faultsOf(two('./a')).join(), /^6:39 upstreams\.other\.sticky\.persist\.path \|/)
  assert.deepEqual(messagesOf(two('./a.new')), [
    'a save of the upstream "chat" writes this file first; write another file',
  ])
  assert.equal(parse(two('./b')).upstreams.length, 2)
})

/** Faults of a file whose access log, and what else is named, is as given. */
function faultsWith(top: string, { bind = 'unix:/run/edge.sock', rest = '' } = {}): string[] {
  return faultsOf(`version: 1
${top}
listeners: { edge: { bind: "${bind}", upstream: chat } }
upstreams: { chat: { servers: [{ address: "unix:/run/back.sock" }] ${rest} } }
`).map((fault) => fault.split(' | ').join('; '))
}

test('checkWrittenPaths() refuses an access log that is the configuration file, also through a symbolic link', () => {
  const refusal = '2:18 accessLog.to; this is the configuration file; write another file'
  for (const path of ['./lb.yaml', '/link/lb.yaml', '/etc/mcs-lb/lb.yaml'])
    assert.deepEqual(faultsWith(`accessLog: { to: ${path} }`), [refusal])
})

test('checkWrittenPaths() refuses an access log that is what another key names', () => {
  const refusal = (key: string) => [`2:18 accessLog.to; ${key}; write another file`]
  const discovery = (path: string) => ({ rest: `, discovery: { type: file, path: ${path} }` })
  for (const [top, other, key] of [
    ['accessLog: { to: ./x }\nadmin: { socket: ./x }', {}, 'admin.socket names it too'],
    ['accessLog: { to: ./x }\nadmin: { socket: /link/x }', {}, 'admin.socket names it too'],
    ['accessLog: { to: ./x }\nstate: { directory: ./x }', {}, 'state.directory names it too'],
    ['accessLog: { to: /run/edge.sock }', {}, 'listeners.edge.bind names it too'],
    ['accessLog: { to: ./x }', { bind: 'unix:./x' }, 'listeners.edge.bind names it too'],
    ['accessLog: { to: /run/back.sock }', {}, 'upstreams.chat.servers[0].address names it too'],
    [
      'accessLog: { to: /var/lib/mcs-lb/members-chat.json }',
      discovery('./x'),
      'the last good members of the upstream "chat" are kept in it',
    ],
  ] as const)
    assert.deepEqual(faultsWith(top, other), refusal(key))
  const listed = faultsWith('accessLog: { to: ./x }', discovery('./x'))
  assert.ok(listed.includes(refusal('upstreams.chat.discovery.path names it too')[0]!), listed.join('\n'))
})

test('checkWrittenPaths() refuses a socket or folder that is the configuration file, or a file that is read', () => {
  const refusal = 'this is the configuration file; write another path'
  assert.deepEqual(faultsWith('admin: { socket: ./lb.yaml }'), [`2:18 admin.socket; ${refusal}`])
  assert.deepEqual(faultsWith('state: { directory: ./lb.yaml }'), [`2:21 state.directory; ${refusal}`])
  assert.deepEqual(faultsWith('', { bind: 'unix:/link/lb.yaml' }), [`3:28 listeners.edge.bind; ${refusal}`])
  const list = 'upstreams.chat.discovery.path names it too; write another path'
  const rest = ', discovery: { type: file, path: ./x }'
  assert.ok(faultsWith('admin: { socket: ./x }', { rest }).includes(`2:18 admin.socket; ${list}`))
})
