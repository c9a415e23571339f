import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatIssues } from '#src/cli/check-report.js'
import { parseConfig } from '#src/config/load.js'
import { quote, quoteKey, withoutCredentials } from '#src/config/quote.js'
import { isSecret } from '#src/config/schema.js'
import { withoutSecrets } from '#src/config/without-secrets.js'
import { ConfigError } from '#src/model/errors.js'
import { machine, minimal } from './fixture.ts'

const head = minimal.replace(/ {4}servers:[\s\S]*/, '')

/** Places of a password, in flow and block style; `@@` is what the file says there. */
const places = [
  '    discovery: { type: redis-keys, redis: { url: @@ } }',
  '    discovery:\n      type: redis-keys\n      redis:\n        url: @@',
  '    discovery:\n      type: redis-keys\n      redis: @@',
  '    discovery: @@',
  '    discovery:\n      type: dns\n      name: chat\n      redis:\n        url:\n          @@',
  '    discovery:\n      type: redis-keys\n      redis:\n        sentinel: { master: m, nodes: ["a:1"], password: @@ }',
  '    sticky:\n      persist:\n        redis:\n          sentinel:\n            password: @@\n            master: [1]',
  '    discovery: { type: redis-keys, redis: { host: h, password: @@ } }',
  '    discovery:\n      redis:\n        host: h\n        password: @@:',
  '    discovery:\n      redis: @@:',
  '    health: { type: redis, redis: { password: @@ } }',
  '    health:\n      type: postgres\n      postgres:\n        password: @@\n        role: prim',
  '    health: { type: tcp, redis: { pasword: @@ } }',
  '    health: { type: redis, redis: { password:@@ } }',
  '    health: { type: redis, redis: { password=@@ } }',
  '    health: { type: redis, redis: { password @@ } }',
  '    health:\n      type: redis\n      redis:\n        password:@@',
  '    health:\n      type: redis\n      redis:\n        password @@',
  '    health:\n      type: redis\n      redis:\n        - password: @@',
  '    health:\n      type: send-expect\n      steps:\n        - { send: @@ }\n        - { expect: 5 }',
  '    health:\n      type: send-expect\n      steps:\n        - { sendHex: @@ }',
]

/** What people write there; `SECRET` is the password. None of it is a good value everywhere. */
const forms = [
  'SECRET',
  '"SECRET"',
  "'SECRET",
  '"SECRET',
  '"SECRET\\q"',
  '"\\qSECRET"',
  '"a\\u0000SECRET"',
  '#SECRET',
  '*SECRET',
  '&SECRET',
  '!SECRET x',
  '@SECRET',
  '%SECRET',
  '|SECRET',
  '>\n      SECRET\n',
  '[SECRET]',
  '{SECRET}',
  '{SECRET: 1, SECRET: 2}',
  '{{ SECRET }}',
  'SECRET: SECRET',
  '$SECRET',
  '"$SECRET"',
  'a$SECRET',
  `"\${SECRET"`,
  `"\${UNSET:-SECRET}\${UNSET}"`,
  `"redis://:SECRET@\${UNSET:-}"`,
  `"\${BAD}"`,
  'redis://:SECRET@',
  'redis://SECRET',
  'redis://:SECRET@host/SECRET',
  'redis://:%SECRET@host',
  'redis://:SECRET#@host',
  'redis://:SECRET/@host',
  'rediss://user:SECRET@host:99999',
  'http://user:SECRET@host',
  'SECRET:x@host',
  'SECRET://host',
  `"redis://:SECRET@${'x'.repeat(3000)}"`,
  `"SECRET${'x'.repeat(5000)}"`,
]
const password = 'hunter2pw'
const env = { BAD: `${password}\u0000`, EMPTY: '' }

/** Everything that the program would show of the faults of a text; nothing where it has none. */
function shown(text: string): string {
  try {
    parseConfig(text, 'lb.yaml', env, machine)
    return ''
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    const report = formatIssues(error.issues, { colour: false, text })
    return [error.message, JSON.stringify(error.issues), report].join('\n')
  }
}

test('parseConfig() never quotes a password, wherever and however it is miswritten', () => {
  let faulty = 0
  for (const place of places) {
    for (const form of forms) {
      // What stands where a key belongs is a key.
      if (/(?:discovery|redis): @@/.test(place) && /^\{[^{]/.test(form)) continue
      const text = `${head}${place.replaceAll('@@', form.replaceAll('SECRET', password))}\n`
      const report = shown(text)
      if (report !== '') faulty++
      assert.ok(!report.includes('hunter2'), `${text}\n--- shows\n${report}`)
    }
  }
  assert.ok(faulty > 400, `${faulty} of them were refused`)
})

test('parseConfig() never quotes a password of digits, which YAML reads as a number', () => {
  for (const place of places) {
    const report = shown(`${head}${place.replace('@@', '31415926535')}\n`)
    assert.ok(!report.includes('1415'), `${place}\n--- shows\n${report}`)
  }
})

test('parseConfig() never quotes a password in a broken file', () => {
  const noise = fc.array(
    fc.constantFrom(' ', '\n', '\n      ', '{', '}', '[', '"', "'", ',', ': ', '- ', '$', '&a ', '*'),
    {
      maxLength: 4,
    },
  )
  fc.assert(
    fc.property(fc.constantFrom(...places), noise, noise, fc.nat(200), (place, before, after, cut) => {
      const value = `redis://:${password}@${after.join('')}`
      const line = place.replaceAll('@@', value)
      const text = `${head}${line}${before.join('')}`
      const broken = text.slice(0, head.length) + text.slice(head.length).slice(0, Math.max(cut, line.indexOf(value)))
      const report = shown(broken)
      assert.ok(!report.includes(password), `${broken}\n--- shows\n${report}`)
    }),
    { numRuns: 2000 },
  )
})

test('isSecret() knows where passwords belong, and trusts no place that it does not know', () => {
  const upstream = ['upstreams', 'chat']
  const redis = [...upstream, 'discovery', 'redis']
  for (const path of [
    redis,
    [...redis, 'url'],
    [...redis, 'sentinel', 'password'],
    [...redis, 'url', 0],
    [...redis, 'pasword'],
    [...upstream, 'health', 'redis', 'password'],
    [...upstream, 'health', 'postgres', 'password'],
    [...upstream, 'health', 'steps', 0, 'send'],
    upstream,
  ]) {
    assert.ok(isSecret(path), path.join('.'))
  }
  for (const path of [
    ['workers'],
    [...upstream, 'balance'],
    [...upstream, 'health', 'type'],
    [...redis, 'cluster', 0],
  ]) {
    assert.ok(!isSecret(path), path.join('.'))
  }
})

test('quote() leaves out the user and password of a URL', () => {
  assert.equal(quote('redis://user:p@ss@host:1'), '"redis://…@host:1"')
  assert.equal(quote('http://host/a'), '"http://host/a"')
  assert.equal(quote(`x://${'p'.repeat(100)}@h`), '"x://…@h"')
  assert.equal(withoutCredentials('a@b'), 'a@b')
  assert.equal(withoutCredentials('a@b://c'), 'a@b://c')
})

test('quoteKey() leaves out a value that ran into its key', () => {
  assert.equal(quoteKey('password:hunter2'), '"password…"')
  assert.equal(quoteKey('password=hunter2'), '"password…"')
  assert.equal(quoteKey('password hunter2'), '"password…"')
  assert.equal(quoteKey('ed ge'), '"ed ge"')
  assert.equal(quoteKey('colour'), '"colour"')
})

test('withoutSecrets() cuts values off that may be secret, and the lines that go on with them', () => {
  const before = [
    'redis:',
    '  url: "a',
    '    b',
    '',
    '    c"',
    '  key: x',
    '- send: >',
    '  y: 1',
    '    z',
    'pwd:',
    ' q',
    'w',
  ]
  const lines = withoutSecrets(before)
  assert.deepEqual(lines, [
    'redis:',
    '  url: …',
    '    …',
    '',
    '    …',
    '  key: x',
    '- send: …',
    '  y: 1',
    '    z',
    'pwd: …',
    ' …',
    '…',
  ])
  assert.deepEqual(withoutSecrets(['bind: tcp://a:b@c', 'x: { password: a, b: c }']), [
    'bind: tcp://…@c',
    'x: { password: …',
  ])
})

test('withoutSecrets() leaves what surely comes behind a secret, and words that only look like one', () => {
  const lines = [
    'discovery: { type: redis, url: redis://h:1, intervall: 5s }',
    'redis: { url: "redis://:hunter2@h", tls: {} }',
    "sentinel: { password: 'hun, t: 2', nodes: [a] }",
    '{ password: "a\\", b: hunter2", auth: "hunter2", role: any }',
    'proxy_pass: chat',
    'health: { passes: 2, fails: 3 }',
  ]
  assert.deepEqual(withoutSecrets(lines.slice(0, 1)), ['discovery: { type: redis, url: …, intervall: 5s }'])
  assert.deepEqual(withoutSecrets(lines.slice(1, 2)), ['redis: { url: …, tls: {} }'])
  assert.deepEqual(withoutSecrets(lines.slice(2, 3)), ['sentinel: { password: …, nodes: [a] }'])
  assert.deepEqual(withoutSecrets(lines.slice(3, 4)), ['{ password: …, auth: …, role: any }'])
  assert.deepEqual(withoutSecrets(lines.slice(4)), lines.slice(4))
})

test('withoutSecrets() cuts the rest off where it may be a part of the secret', () => {
  for (const rest of [
    'hunter2, role: hunter2 }',
    '"a"hunter2, role: any }',
    '"a", hunter2 }',
    '"a" } # hunter2',
    "'a''hunter2', role: any }",
    '"redis://:", x: hunter2@h }',
    'redis://:hunter2, x: y }',
  ]) {
    assert.deepEqual(withoutSecrets([`{ password: ${rest}`]), ['{ password: …'], rest)
  }
  assert.deepEqual(withoutSecrets(['proxy_pass: http://hunter2']), ['proxy_pass: …'])
  assert.deepEqual(withoutSecrets(['passes: hunter2']), ['passes: …'])
})

test('withoutSecrets() takes time in proportion to a line', () => {
  const started = process.cpuUsage().user
  withoutSecrets(['pass'.repeat(250_000), ' '.repeat(1_000_000), 'url '.repeat(250_000), '://@'.repeat(250_000)])
  withoutSecrets([`{ ${'url: "a", '.repeat(100_000)}`, `{ ${'url: "'.repeat(100_000)}`])
  assert.ok(process.cpuUsage().user - started < 2_000_000)
})
