import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RedisGuard } from '#src/discovery/redis-guard.js'
import { resp } from '../../helpers/hostile-redis.ts'

/** What the guard says of an answer to these commands that comes in these chunks; empty where it lets it pass. */
function verdict(commands: readonly (readonly string[])[], chunks: readonly Buffer[]): string {
  const guard = new RedisGuard()
  for (const words of commands) guard.sent(Buffer.from(resp(words)))
  try {
    for (const chunk of chunks) guard.received(chunk, 0)
    return ''
  } catch (error) {
    assert.ok(error instanceof Error)
    assert.equal(error.constructor, Error, error.stack)
    return error.message
  }
}

function pieces(bytes: Buffer, ends: readonly number[]): Buffer[] {
  const places = [...new Set(ends.map((end) => end % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length))
}

const commands = [
  ['PSUBSCRIBE', 'x'],
  ['CLUSTER', 'SLOTS'],
  ['scan', '0'],
]
const answers = [
  resp(['psubscribe', 'x', 1]) + resp(['pmessage', 'x', 'y'.repeat(5000), 'set']),
  resp([[0, 16_383, ['127.0.0.1', 6379, 'id', ['hostname', 'a']]]]),
  resp(['0', ['a'.repeat(3000), '', null, []]]) + resp(['pmessage', 'x', 'y', 'del']),
].join('')

test('RedisGuard.received() lets good answers pass, wherever they are cut into chunks', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(answers.length)), (ends) => {
      assert.equal(verdict(commands, pieces(Buffer.from(answers), ends)), '')
    }),
  )
})

test('RedisGuard.received() says the same of any bytes, wherever they are cut, and fails in no other way', () => {
  const part = fc.oneof(
    fc.constantFrom(
      '*',
      '$',
      ':',
      '+',
      '-',
      '>',
      '\r\n',
      '-1',
      '0',
      '1',
      '2',
      '3',
      'pmessage',
      'psubscribe',
      'x',
      'MOVED 1 ',
    ),
    fc.string({ maxLength: 4 }),
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), fc.array(fc.nat(200)), (parts, ends) => {
      const bytes = Buffer.from(parts.join(''))
      assert.equal(verdict(commands, pieces(bytes, ends)), verdict(commands, [bytes]))
    }),
    { numRuns: 2000 },
  )
})

test('RedisGuard.received() tells what a server says that takes no connection', () => {
  assert.equal(
    verdict([], [Buffer.from('-ERR max number of clients reached\r\n')]),
    'ERR max number of clients reached',
  )
})

// The client library got the beginning of the line, and asked that its authors be told.
test('RedisGuard.received() refuses a type that it does not know before its line is whole', () => {
  const said = verdict([['get', 'x']], [Buffer.from('HTTP/1.1 400 Bad')])
  assert.equal(said, 'it does not speak as Redis does: it sent the type "H"')
  const alert = Buffer.from([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46])
  assert.equal(verdict([['get', 'x']], [alert]), 'it speaks TLS there; write rediss:// in the URL')
})

test('RedisGuard.received() refuses what no memory should hold', () => {
  const begin = (text: string) => verdict([['get', 'x']], [Buffer.from(text)])
  assert.match(begin('$33554433\r\n'), /a string of more than 33554432 bytes/)
  assert.match(begin('*262145\r\n'), /too large or too deep/)
  assert.match(begin('*200000\r\n*200000\r\n'), /too large or too deep/)
  assert.match(begin('*1\r\n'.repeat(9)), /too large or too deep/)
  assert.match(begin(`+${'x'.repeat(16_385)}`), /a line that is too long/)
  const megabyte = Buffer.alloc(1024 * 1024, 'x')
  const many = [Buffer.from('$33554432\r\n'), ...Array.from({ length: 33 }, () => megabyte)]
  assert.match(verdict([['get', 'x']], many), /more than 33554432 bytes within a second/)
})
