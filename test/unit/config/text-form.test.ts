import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  checkHex,
  checkHostName,
  checkHostPort,
  checkHttpPath,
  checkIp,
  checkNetwork,
  checkPercent,
  checkPlain,
  checkRange,
  checkRedisUrl,
  splitHostPort,
} from '#src/config/text-form.js'

const half = { minimum: '10%', maximum: '50%' }
const port = { minimum: 1, maximum: 65_535 }

function good(check: (text: string) => unknown, texts: readonly string[]): void {
  for (const text of texts) assert.equal(check(text), undefined, text)
}

function bad(check: (text: string) => { hint: string } | undefined, texts: readonly string[]): void {
  for (const text of texts) assert.ok((check(text)?.hint ?? '').length > 5, JSON.stringify(text))
}

test('checkPercent() takes whole percentages within bounds', () => {
  good((text) => checkPercent(half, text), ['10%', '30%', '50%'])
  bad(
    (text) => checkPercent(half, text),
    ['', '9%', '51%', '101%', '30', '30 %', '0.3', '12.5%', '-10%', '٣٠%', '10%\n'],
  )
  assert.deepEqual(checkPercent(half, '51%'), {
    message: '51% is not from 10% to 50%',
    hint: 'write a share from 10% to 50%, such as 30%',
  })
})

test('checkRange() takes one number or two, within bounds and in order', () => {
  good((text) => checkRange(port, text), ['1', '9100', '9000-9999', '1-65535', '5-5'])
  bad(
    (text) => checkRange(port, text),
    ['', '0', '0-5', '65536', '1-65536', '9-8', '1 - 2', '1-', '-1', '1-2-3', '1e3', '1\n'],
  )
})

test('checkIp() takes addresses, with a port only where one may be', () => {
  good((text) => checkIp('none', text), ['10.0.0.1', '::1', 'fd00::1'])
  bad(
    (text) => checkIp('none', text),
    ['', 'localhost', '10.0.0.1:53', '[::1]', '10.0.0.256', '010.0.0.1', 'fe80::1%eth0'],
  )
  good((text) => checkIp('optional', text), ['10.0.0.1', '10.0.0.1:53', '[::1]:53', '::1'])
  bad(
    (text) => checkIp('optional', text),
    ['[10.0.0.1]:53', '10.0.0.1:0', '10.0.0.1:053', '10.0.0.1:65536', '[fe80::1%a]:1'],
  )
})

test('checkNetwork() takes networks and single addresses', () => {
  good(checkNetwork, ['10.0.0.0/8', '0.0.0.0/0', '::/0', 'fd00::/128', '10.0.0.1', '10.0.0.1/32'])
  bad(checkNetwork, [
    '',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '::/129',
    '10.0.0.0/',
    '10/8',
    '10.0.0.0/255.0.0.0',
    'fe80::%a/10',
    '/8',
  ])
})

test('checkHostPort() takes names and addresses with a port', () => {
  good(checkHostPort, ['redis:6379', 'a.b-c.internal.:1', '10.0.0.1:65535', '[fd00::1]:6379', '_redis._tcp.x:1'])
  bad(checkHostPort, [
    '',
    'redis',
    'redis:',
    'redis:0',
    'redis:65536',
    'a b:1',
    'a..b:1',
    '-a:1',
    'fd00::1:6379',
    '[redis]:1',
  ])
})

test('checkHostPort() takes no mistyped address for a name', () => {
  bad(checkHostPort, ['10.0.0.256:1', '10.0.0:1', '1.2.3.4.5:1', '010.0.0.1:1', '127:1', 'host.1:1'])
})

test('checkHostName() takes names, and leaves the empty one to the schema', () => {
  good(checkHostName, ['', 'chat', 'chat.internal', '_chat._tcp.service.consul', `${'a'.repeat(63)}.b`, 'a1', '1a.b'])
  bad(checkHostName, [
    'a b',
    'a/b',
    'a:1',
    '.a',
    'a..b',
    '10.0.0.1',
    `${'a'.repeat(64)}.b`,
    `${'a.'.repeat(127)}a`,
    'a\n',
    'é',
  ])
})

test('checkHex() takes pairs of digits and quotes nothing', () => {
  good(checkHex, ['00', '50494e47', '50 49\t4E 47', ' 00 '])
  bad(checkHex, ['', ' ', '0', '0x50', '5 0', '504', '50:49', 'gg'])
  assert.ok(!JSON.stringify(checkHex('5155a')).includes('5155a'))
})

test('checkHex() takes time in proportion to the text', () => {
  const started = process.cpuUsage().user
  checkHex(`${' '.repeat(100_000)}0`)
  checkHex(`${'00 '.repeat(100_000)}0`)
  assert.ok(process.cpuUsage().user - started < 1_000_000)
})

test('checkHttpPath() takes what may stand in a request line', () => {
  good(checkHttpPath, ['/', '/health?a=b&c=%20', '/a/~b'])
  bad(checkHttpPath, ['', 'health', 'http://a/', '/a b', '/a\r\nHost: b', '/é', '/\u0000'])
})

test('checkPlain() refuses control characters only', () => {
  good(checkPlain, ['', 'web.internal:8443', 'Ünïcode 1'])
  bad(checkPlain, ['a\r\nb', 'a\u0000', 'a\u009b'])
})

test('checkRedisUrl() takes URLs of Redis', () => {
  good(checkRedisUrl, [
    'redis://localhost',
    'redis://127.0.0.1:6379',
    'redis://[::1]:6379/15',
    'rediss://user:p%40ss@redis.internal:6380/0',
    'redis://:password@host/',
  ])
})

test('checkRedisUrl() says what is wrong with a URL, and what to write', () => {
  const says = (url: string) => `${checkRedisUrl(url)?.message} | ${checkRedisUrl(url)?.hint}`
  const forms = 'write redis://host:6379, or rediss://user:password@host:6379/0 for TLS'
  assert.equal(says('localhost'), `this is not a URL | ${forms}`)
  assert.equal(says('redis://a b'), `this is not a URL | ${forms}`)
  assert.equal(says('redis://a:65536'), `this is not a URL | ${forms}`)
  assert.equal(says('localhost:6379'), `this is not a URL of Redis | ${forms}`)
  assert.equal(says('http://host'), `this is not a URL of Redis | ${forms}`)
  assert.equal(says('redis:///0'), `the URL names no host, or port 0 | ${forms}`)
  assert.equal(says('redis://host:0'), `the URL names no host, or port 0 | ${forms}`)
  assert.equal(says('redis://host/chat'), `the database of the URL is not a number | ${forms}`)
  assert.equal(says('redis://host?family=6'), 'the URL has a "?" or a "#" | in a password write %3F and %23 for them')
  assert.equal(says('redis://u:1#p@host'), 'the URL has a "?" or a "#" | in a password write %3F and %23 for them')
  assert.equal(
    says('redis://:5%zz@host'),
    'the password of the URL has a "%" that stands for nothing | write %25 for it',
  )
})

test('checkRedisUrl() never quotes a password', () => {
  const secret = fc.string({ minLength: 6, maxLength: 20 }).map((text) => `zq${text}qz`)
  fc.assert(
    fc.property(
      secret,
      fc.constantFrom('redis', 'rediss', 'http', ''),
      fc.constantFrom('host', '', 'host/x'),
      (...parts) => {
        const [password, scheme, rest] = parts
        const refusal = checkRedisUrl(`${scheme}://user:${password}@${rest}`)
        assert.ok(!JSON.stringify(refusal ?? '').includes('zq'))
      },
    ),
  )
})

test('splitHostPort() gives back the host and port that were joined', () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain())
  fc.assert(
    fc.property(host, fc.integer({ min: 1, max: 65_535 }), (name, number) => {
      const text = `${name.includes(':') ? `[${name}]` : name}:${number}`
      assert.deepEqual(
        splitHostPort(text, () => 1),
        { host: name, port: number },
      )
    }),
  )
})

test('every form takes or refuses any text, and never throws', () => {
  const checks = [checkNetwork, checkHostPort, checkHostName, checkHex, checkHttpPath, checkPlain, checkRedisUrl]
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      for (const check of checks) {
        const refusal = check(text)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
        if (refusal !== undefined) assert.doesNotMatch(refusal.message, /[\u0000-\u001f\u007f-\u009f]/)
      }
    }),
  )
})
