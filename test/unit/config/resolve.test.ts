import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { unescapeText } from '#src/config/resolve-health.js'
import { milliseconds, pathOrWord, range, share } from '#src/config/resolve-value.js'
import type { UpstreamConfig } from '#src/model/config.js'
import { changed, faultsOf, minimal, parse } from './fixture.ts'

/** The Config of the minimal upstream with more lines. */
function upstream(...lines: readonly string[]): UpstreamConfig {
  const config = parse(`${minimal}${lines.map((line) => `    ${line}\n`).join('')}`).upstreams[0]
  assert.ok(config !== undefined)
  return config
}

const system = { serverName: '', ca: 'system', verify: true }

test('resolveUpstream() takes every key from the file', () => {
  const config = upstream(
    'balance: source-hash',
    'sourcePrefix: { ipv4: 24, ipv6: 56 }',
    'slowStart: 1m',
    'panicThreshold: 50%',
    'outlier: { consecutiveFailures: 3, earlyReset: 2s, ejection: 10s, maxEjection: 1h, maxShare: 30% }',
    'connections: { onRemoved: drain, onUnhealthy: close, drain: 1h }',
    'sticky: { ttl: 1d }',
  )
  assert.deepEqual(
    { ...config, name: 'chat', servers: 1, connect: 1 },
    {
      name: 'chat',
      servers: 1,
      connect: 1,
      balance: 'source-hash',
      sourcePrefix: { ipv4: 24, ipv6: 56 },
      slowStartMs: 60_000,
      panicThreshold: 0.5,
      outlier: {
        consecutiveFailures: 3,
        earlyResetMs: 2000,
        ejectionMs: 10_000,
        maxEjectionMs: 3_600_000,
        maxShare: 0.3,
      },
      connections: { onRemoved: 'drain', onUnhealthy: 'close', drainMs: 3_600_000 },
      sticky: { ttlMs: 86_400_000, persist: null },
      discovery: null,
      health: null,
    },
  )
})

test('resolveUpstream() puts backups behind every priority', () => {
  const text = changed(
    '      - address: 10.0.0.1:9100\n',
    '      - { address: "10.0.0.1:1", backup: true }\n      - { address: "10.0.0.2:1", priority: 15, state: maintenance }\n',
  )
  const servers = parse(text).upstreams[0]?.servers.map(({ priority, state }) => [priority, state])
  assert.deepEqual(servers, [
    [16, 'ready'],
    [15, 'maintenance'],
  ])
})

test('resolveUpstream() keeps sticky entries where the file says', () => {
  assert.deepEqual(upstream('sticky: {}').sticky, { ttlMs: 1_800_000, persist: null })
  assert.deepEqual(upstream('sticky: { persist: { path: ./s } }').sticky?.persist, { path: '/etc/mcs-lb/s' })
  assert.deepEqual(upstream('sticky: { persist: { redis: { url: "rediss://h" }, key: k } }').sticky?.persist, {
    redis: { url: 'rediss://h', sentinel: null, cluster: null, tls: system },
    key: 'k',
  })
})

test('resolveUpstream() gives outliers their defaults', () => {
  assert.deepEqual(upstream('outlier: {}').outlier, {
    consecutiveFailures: 5,
    earlyResetMs: 0,
    ejectionMs: 30_000,
    maxEjectionMs: 300_000,
    maxShare: 0.5,
  })
})

test('resolveHealth() fills in every default', () => {
  assert.deepEqual(upstream('health: {}').health, {
    type: 'tcp',
    intervalMs: 5000,
    fastIntervalMs: 5000,
    downIntervalMs: 5000,
    jitter: 0.1,
    timeoutMs: 2000,
    rise: 2,
    fall: 3,
    host: null,
    port: null,
    proxyProtocol: 'none',
    tls: null,
    steps: [],
    http: { method: 'GET', path: '/', host: '', status: [{ from: 200, to: 399 }], body: '' },
    redis: { role: 'any', username: '', password: '' },
    postgres: { role: 'any', user: 'postgres', database: 'postgres', password: '' },
  })
})

test('resolveHealth() takes what the file says', () => {
  const health = upstream(
    'health:',
    '  { type: http, interval: 1s, fastInterval: 100ms, downInterval: 1m, jitter: 0%, address: "::1", port: 80,',
    '    tls: { ca: ./ca.pem, serverName: a.b }, http: { status: [204, "301-302", "500"] } }',
  ).health
  assert.deepEqual([health?.intervalMs, health?.fastIntervalMs, health?.downIntervalMs], [1000, 100, 60_000])
  assert.deepEqual([health?.host, health?.port, health?.jitter], ['::1', 80, 0])
  assert.deepEqual(health?.tls, { serverName: 'a.b', ca: '/etc/mcs-lb/ca.pem', verify: true })
  assert.deepEqual(health?.http.status, [
    { from: 204, to: 204 },
    { from: 301, to: 302 },
    { from: 500, to: 500 },
  ])
})

test('resolveHealth() verifies no certificate of type tls unless told', () => {
  assert.deepEqual(upstream('health: { type: tls }').health?.tls, { ...system, verify: false })
  assert.deepEqual(upstream('health: { type: tls, tls: {} }').health?.tls, system)
})

test('resolveHealth() turns steps into bytes', () => {
  const steps = upstream(
    'health:',
    '  type: send-expect',
    `  steps: [{ send: 'a\\r\\n' }, { sendHex: "00 fF" }, { expect: "\\\\x00é" }, { expectHex: "0d" }]`,
  ).health?.steps
  assert.deepEqual(steps, [
    { send: Buffer.from('a\r\n') },
    { send: Buffer.from([0, 255]) },
    { expect: Buffer.from('\0é') },
    { expect: Buffer.from('\r') },
  ])
})

test('unescapeText() turns escapes into bytes, once', () => {
  const cases: [string, string][] = [
    ['\\r\\n\\t', '\r\n\t'],
    ['\\\\n', '\\n'],
    ['\\\\\\n', '\\\n'],
    ['\\x41\\x7a', 'Az'],
    ['\\x4', '\\x4'],
    ['\\xzz\\q', '\\xzz\\q'],
    ['\\\\x41', '\\x41'],
    ['\\', '\\'],
    ['', ''],
  ]
  for (const [text, expected] of cases) assert.equal(Buffer.from(unescapeText(text)).toString(), expected, text)
  assert.deepEqual([...unescapeText('\\xff\\x00')], [255, 0])
})

test('unescapeText() gives back any bytes that were escaped', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
      assert.deepEqual(Buffer.from(unescapeText(text)), Buffer.from(bytes))
    }),
  )
})

test('unescapeText() leaves text without a backslash as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const plain = text.replaceAll('\\', '')
      assert.equal(Buffer.from(unescapeText(plain)).toString(), plain)
      assert.equal(Buffer.from(unescapeText(plain.replaceAll('n', '\\\\n'))).toString(), plain.replaceAll('n', '\\n'))
    }),
  )
})

test('resolveDiscovery() gives each type its own keys', () => {
  const base = {
    intervalMs: 1000,
    maxMembers: 4096,
    maxRemoval: 0.5,
    holdBackMs: 60_000,
    allow: { networks: [], ports: [{ from: 1, to: 65_535 }] },
  }
  const redis = { url: 'redis://127.0.0.1:6379', sentinel: null, cluster: null, tls: system }
  const found = (text: string) => upstream(`discovery: { ${text} }`).discovery
  assert.deepEqual(found('type: redis-keys'), { ...base, type: 'redis-keys', redis, prefix: 'mcs:node:' })
  assert.deepEqual(found('type: redis-sorted-set, maxAge: 1m, redis: {}'), {
    ...base,
    type: 'redis-sorted-set',
    redis,
    key: 'mcs:node',
    score: 'heartbeat',
    maxAgeMs: 60_000,
  })
  assert.deepEqual(found('type: dns, name: a.b, port: 1, resolvers: ["10.0.0.1:53", "::1"]'), {
    ...base,
    type: 'dns',
    host: 'a.b',
    record: 'address',
    port: 1,
    resolvers: ['10.0.0.1:53', '::1'],
  })
  assert.deepEqual(found('type: dns, name: a, record: srv'), {
    ...base,
    type: 'dns',
    host: 'a',
    record: 'srv',
    port: 0,
    resolvers: [],
  })
  assert.deepEqual(found('type: file, path: ./list.json'), { ...base, type: 'file', path: '/etc/mcs-lb/list.json' })
})

test('resolveDiscovery() takes limits from the file', () => {
  const found = upstream(
    'discovery: { type: redis-keys, interval: 5s, maxMembers: 9, maxRemoval: 0%, holdBack: never,',
    '  allow: { networks: [10.0.0.0/8, "fd00::/8"], ports: [80, "81-90"] } }',
  ).discovery
  assert.deepEqual([found?.intervalMs, found?.maxMembers, found?.maxRemoval], [5000, 9, 0])
  assert.equal(found?.holdBackMs, Number.POSITIVE_INFINITY)
  assert.deepEqual(found?.allow, {
    networks: ['10.0.0.0/8', 'fd00::/8'],
    ports: [
      { from: 80, to: 80 },
      { from: 81, to: 90 },
    ],
  })
})

test('resolveRedis() splits hosts and ports', () => {
  const redis = (text: string) => {
    const found = upstream(`discovery: { type: redis-keys, redis: { ${text} } }`).discovery
    return found?.type === 'redis-keys' ? found.redis : undefined
  }
  assert.deepEqual(redis('sentinel: { master: m, nodes: ["a.b:1", "[::1]:2"], password: p }')?.sentinel, {
    master: 'm',
    nodes: [
      { host: 'a.b', port: 1 },
      { host: '::1', port: 2 },
    ],
    password: 'p',
  })
  assert.deepEqual(redis('cluster: ["10.0.0.1:6379"]')?.cluster, [{ host: '10.0.0.1', port: 6379 }])
})

test('resolve-value turns words and units into numbers', () => {
  assert.equal(milliseconds('never'), Number.POSITIVE_INFINITY)
  assert.equal(milliseconds('5s'), 5000)
  assert.equal(share('30%'), 0.3)
  assert.deepEqual(range(80), { from: 80, to: 80 })
  assert.deepEqual(range('80-90'), { from: 80, to: 90 })
  assert.equal(pathOrWord('system', '/a'), 'system')
  assert.equal(pathOrWord('./b', '/a'), '/a/b')
})

test('parseConfig() takes a variable for a port of a range, and for a password of digits', () => {
  const line = (text: string) => `${minimal}    ${text}\n`
  const allow = parse(line(`discovery: { type: redis-keys, allow: { ports: ["\${P}"] } }`), { P: '81' })
  assert.deepEqual(allow.upstreams[0]?.discovery?.allow.ports, [{ from: 81, to: 81 }])
  const login = parse(line(`health: { type: redis, redis: { password: "\${P}" } }`), { P: '0123' })
  assert.equal(login.upstreams[0]?.health?.redis.password, '0123')
})

test('parseConfig() says what is wrong with the new kinds of values', () => {
  const faults = (text: string) => faultsOf(`${minimal}    ${text}\n`)
  assert.deepEqual(faults('panicThreshold: 50'), ['10:21 upstreams.chat.panicThreshold | 50 has no unit | write 50%'])
  assert.deepEqual(faults('panicThreshold: 0.5%'), [
    '10:21 upstreams.chat.panicThreshold | "0.5%" is not a percentage | write a share from 0% to 100%, such as 30%',
  ])
  assert.deepEqual(faults('health: { type: http, http: { status: [99, "200-700", ok, true] } }'), [
    '10:44 upstreams.chat.health.http.status[0] | 99 is less than 100 | write a whole number from 100 to 599, or a range such as 100-599',
    '10:48 upstreams.chat.health.http.status[1] | "200-700" is not a range of whole numbers from 100 to 599 | write 100, or 100-599, or what lies between',
    '10:59 upstreams.chat.health.http.status[2] | "ok" is not a range of whole numbers from 100 to 599 | write 100, or 100-599, or what lies between',
    '10:63 upstreams.chat.health.http.status[3] | true is not a whole number from 100 to 599, or a range such as 100-599 | write a whole number from 100 to 599, or a range such as 100-599',
  ])
  assert.deepEqual(faults('health: { type: send-expect, steps: [{ sendHex: 50 }, { sendHex: "5" }] }'), [
    '10:53 upstreams.chat.health.steps[0].sendHex | this is a number, not text | put it in quotes',
    '10:70 upstreams.chat.health.steps[1].sendHex | this is not a row of hexadecimal pairs | write it as "48 65 6c 6c 6f"',
  ])
})
