import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { loadConfig, parseConfig } from '#src/config/load.js'
import { sameConfig } from '#src/config/same-config.js'
import { ConfigError, McsError } from '#src/model/errors.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { changed, machine, minimal, parse } from './fixture.ts'

/** Of an upstream that says nothing but its servers. */
const upstreamDefaults = {
  balance: 'round-robin',
  sourcePrefix: { ipv4: 32, ipv6: 64 },
  sticky: null,
  discovery: null,
  health: null,
  outlier: null,
  slowStartMs: 0,
  panicThreshold: 0,
  connections: { onRemoved: 'keep', onUnhealthy: 'keep', drainMs: 30_000 },
} as const

test('parseConfig() fills in every default', () => {
  assert.deepEqual(parse(minimal), {
    workers: 6,
    log: { level: 'info', format: 'json' },
    accessLog: { to: '/var/log/mcs-lb/access.log', format: 'json' },
    admin: { socket: '/run/mcs-lb/admin.sock' },
    reload: { watch: true, debounceMs: 200 },
    state: { directory: '/var/lib/mcs-lb' },
    shutdown: { drainMs: 30_000 },
    limits: { connections: 50_000, pendingBytes: 256 * 1024 * 1024, stickyClients: 65_536 },
    listeners: [
      {
        name: 'edge',
        bind: [{ family: 'ipv4', host: '127.0.0.1', port: 64400 }],
        socket: { backlog: 4096, keepAliveMs: 60_000 },
        timeouts: { idleMs: 600_000, halfClosedMs: 30_000, maxDurationMs: Number.POSITIVE_INFINITY },
        upstream: 'chat',
        onUnavailable: 'reset',
      },
    ],
    upstreams: [
      {
        name: 'chat',
        ...upstreamDefaults,
        servers: [
          {
            address: { family: 'ipv4', host: '10.0.0.1', port: 9100 },
            weight: 1,
            maxConnections: Number.POSITIVE_INFINITY,
            priority: 0,
            state: 'ready',
            zone: '',
          },
        ],
        connect: { timeoutMs: 5000, attempts: 3 },
      },
    ],
  })
})

test('parseConfig() takes what stands in the file', () => {
  const config = parse(`version: 1
workers: 3
log: { level: debug, format: text }
accessLog: { to: none, format: tcplog }
admin: { socket: none }
reload: { watch: false, debounce: 1s }
state: { directory: ./kept }
shutdown: { drain: 0s }
limits: { connections: 7, pendingBytes: 1MiB, stickyClients: 1024 }
listeners:
  edge:
    bind: ["[0:0::1]:1", "unix:./a.sock", "0.0.0.0:0"]
    socket: { backlog: 9, keepAlive: none }
    timeouts: { idle: unlimited, halfClosed: 1m, maxDuration: 2h }
    upstream: chat
    onUnavailable: http-503
upstreams:
  chat:
    balance: round-robin
    servers: [{ address: "unix:b.sock", weight: 256, maxConnections: 5, priority: 15, state: drain }]
    connect: { timeout: 250ms, attempts: 1 }
`)
  assert.deepEqual(config, {
    workers: 3,
    log: { level: 'debug', format: 'text' },
    accessLog: { to: 'none', format: 'tcplog' },
    admin: { socket: 'none' },
    reload: { watch: false, debounceMs: 1000 },
    state: { directory: '/etc/mcs-lb/kept' },
    shutdown: { drainMs: 0 },
    limits: { connections: 7, pendingBytes: 1024 * 1024, stickyClients: 1024 },
    listeners: [
      {
        name: 'edge',
        bind: [
          { family: 'ipv6', host: '::1', port: 1 },
          { family: 'unix', path: '/etc/mcs-lb/a.sock' },
          { family: 'ipv4', host: '0.0.0.0', port: 0 },
        ],
        socket: { backlog: 9, keepAliveMs: Number.POSITIVE_INFINITY },
        timeouts: { idleMs: Number.POSITIVE_INFINITY, halfClosedMs: 60_000, maxDurationMs: 7_200_000 },
        upstream: 'chat',
        onUnavailable: 'http-503',
      },
    ],
    upstreams: [
      {
        name: 'chat',
        ...upstreamDefaults,
        servers: [
          {
            address: { family: 'unix', path: '/etc/mcs-lb/b.sock' },
            weight: 256,
            maxConnections: 5,
            priority: 15,
            state: 'drain',
            zone: '',
          },
        ],
        connect: { timeoutMs: 250, attempts: 1 },
      },
    ],
  })
})

test('parseConfig() takes relative paths from the folder of the file', () => {
  const config = parse(`${minimal}accessLog: { to: ./logs/a.log }\nadmin: { socket: ../run/a.sock }\n`)
  assert.equal(config.accessLog.to, '/etc/mcs-lb/logs/a.log')
  assert.equal(config.admin.socket, '/etc/run/a.sock')
})

test('parseConfig() keeps names in the order of the file, also names that are numbers', () => {
  const listeners = ['web', '80', '7', '__proto__', 'constructor']
  const blocks = listeners.map((name, index) => `  ${name}: { bind: "127.0.0.1:${index + 1}", upstream: chat }`)
  const config = parse(changed('  edge:\n    bind: 127.0.0.1:64400\n    upstream: chat', blocks.join('\n')))
  assert.deepEqual(
    config.listeners.map((listener) => listener.name),
    listeners,
  )
})

test('parseConfig() gives variables the type that the schema asks for', () => {
  const env = { PORT: '7000', WORKERS: '2', WATCH: 'false', MAX: '9', NAME: 'chat', EMPTY: '', PRICE: '$5' }
  const text = `version: "\${VERSION:-1}"
workers: \${WORKERS}
accessLog: { to: "./$$\${PRICE}" }
reload: { watch: "\${WATCH}" }
listeners:
  edge: { bind: "127.0.0.1:\${PORT:-1}", upstream: "\${NAME}" }
upstreams:
  chat:
    servers: [{ address: "10.0.0.1:\${EMPTY:-9100}", maxConnections: "\${MAX}" }]
`
  const config = parse(text, env)
  assert.equal(config.workers, 2)
  assert.equal(config.reload.watch, false)
  assert.equal(config.accessLog.to, '/etc/mcs-lb/$$5')
  assert.deepEqual(config.listeners[0]?.bind, [{ family: 'ipv4', host: '127.0.0.1', port: 7000 }])
  assert.deepEqual(config.upstreams[0]?.servers[0]?.address, { family: 'ipv4', host: '10.0.0.1', port: 9100 })
  assert.equal(config.upstreams[0]?.servers[0]?.maxConnections, 9)
})

test('parseConfig() takes no more than 64 workers of a large machine', () => {
  assert.equal(parseConfig(minimal, 'lb.yaml', {}, { ...machine, cpus: 128 }).config.workers, 64)
})

test('parseConfig() follows anchors and aliases', () => {
  const config = parse(
    changed(
      '    upstream: chat\n',
      '    timeouts: &t { idle: 1s }\n    upstream: &u chat\n  b: { bind: "127.0.0.1:2", timeouts: *t, upstream: *u }\n',
    ),
  )
  assert.equal(config.listeners[1]?.timeouts.idleMs, 1000)
  assert.equal(config.listeners[1]?.upstream, 'chat')
})

test('sameConfig() tells equal configurations from different ones', () => {
  assert.ok(sameConfig(parse(minimal), parse(`# a remark\nworkers: auto\n${minimal}`)))
  assert.ok(!sameConfig(parse(minimal), parse(changed('9100', '9101'))))
  assert.ok(!sameConfig(parse(minimal), parse(`${minimal}        maxConnections: 5\n`)))
})

test('loadConfig() reads a file, with the variables of the process', async (t) => {
  const file = temporaryFile(t, changed('64400', `\${MCS_TEST_PORT}`))
  process.env.MCS_TEST_PORT = '7001'
  atEnd(t, () => delete process.env.MCS_TEST_PORT)
  const { config } = await loadConfig(file)
  assert.deepEqual(config.listeners[0]?.bind, [{ family: 'ipv4', host: '127.0.0.1', port: 7001 }])
})

test('loadConfig() says why there is no file to read', async (t) => {
  const file = temporaryFile(t, minimal)
  const directory = join(file, '..')
  await assert.rejects(loadConfig(directory), unreadable(/: it is a directory;/))
  await assert.rejects(loadConfig(join(directory, 'other.yaml')), unreadable(/: there is no such file;/))
  await assert.rejects(loadConfig(join(file, 'lb.yaml')), unreadable(/: a part of its path is not a directory;/))
  await assert.rejects(loadConfig('/dev/null'), unreadable(/: it is not a regular file;/))
  await assert.rejects(loadConfig('a\0b'), unreadable(/null bytes/))
})

test('loadConfig() says that it may not read a file', { skip: process.getuid?.() === 0 }, async (t) => {
  const file = temporaryFile(t, minimal)
  chmodSync(file, 0)
  await assert.rejects(loadConfig(file), unreadable(/: permission denied;/))
})

test('loadConfig() refuses what is no text, at its place', async (t) => {
  const mebibyte = 1024 * 1024
  const refusals: [Buffer, string][] = [
    [Buffer.alloc(10 * mebibyte, '# '), '1:1 the file is larger than 1 MiB'],
    [Buffer.alloc(mebibyte + 1, '#'), '1:1 the file is larger than 1 MiB'],
    [Buffer.from('version: 1\nä: \xff', 'latin1'), '2:1 this is not UTF-8 text'],
    [Buffer.concat([Buffer.from('\ufeffa: \ufffd\nb: '), Buffer.from([0xc3])]), '2:4 this is not UTF-8 text'],
    [Buffer.from('version: 1\n', 'utf16le'), '1:2 this is a NUL byte'],
  ]
  for (const [bytes, expected] of refusals) {
    const error: unknown = await loadConfig(temporaryFile(t, bytes)).catch((reason: unknown) => reason)
    assert.ok(error instanceof ConfigError)
    const issue = error.issues[0]
    assert.equal(`${issue?.line}:${issue?.column} ${issue?.message}`, expected)
  }
})

test('loadConfig() reads a file of exactly 1 MiB, and one with a byte order mark', async (t) => {
  const padding = `#${'x'.repeat(1024 * 1024 - minimal.length - 1)}`
  assert.equal((await loadConfig(temporaryFile(t, minimal + padding))).config.listeners.length, 1)
  assert.equal((await loadConfig(temporaryFile(t, `\ufeff${minimal}`))).config.listeners.length, 1)
})

function temporaryFile(t: TestContext, content: string | Buffer): string {
  const directory = mkdtempSync(join(tmpdir(), 'mcs-lb-load-'))
  atEnd(t, () => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'lb.yaml'), content)
  return join(directory, 'lb.yaml')
}

function unreadable(message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof McsError && error.code === 'MCS_CONFIG_UNREADABLE' && message.test(error.message)
}
