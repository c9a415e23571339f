import assert from 'node:assert/strict'
import { closeSync, constants, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { McsError } from '#src/model/errors.js'
import { formatTextLine } from '#src/observe/log-format.js'
import { createLogger, type ProgramLogger } from '#src/observe/logger.js'
import { spawnChild } from '../../helpers/child-process.ts'
import { atEnd } from '../../helpers/cleanup.ts'
import { fillPipe, openStuckPipe } from '../../helpers/named-pipe.js'
import { needs } from '../../helpers/peers.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.js'

function logToFile(t: TestContext, format: 'json' | 'text'): { logger: ProgramLogger; read(): Promise<string[]> } {
  const path = join(temporaryDirectory(t), 'log')
  const fd = openSync(path, 'a')
  atEnd(t, () => closeSync(fd))
  const logger = createLogger({ level: 'info', format }, fd)
  const read = async (): Promise<string[]> => {
    assert.equal(await logger.flush(), true)
    return readFileSync(path, 'utf8').split('\n').slice(0, -1)
  }
  return { logger, read }
}

test('Logger writes one JSON object a line, with time, level and message first', async (t) => {
  const { logger, read } = logToFile(t, 'json')
  logger.info('Serving generation 1', { generation: 1, message: 'no', level: 'no' })
  const [line] = await read()
  const parsed = JSON.parse(line ?? '')
  assert.deepEqual(Object.keys(parsed), ['time', 'level', 'message', 'generation'])
  assert.equal(new Date(parsed.time).toISOString(), parsed.time)
  assert.equal(parsed.level, 'info')
  assert.equal(parsed.message, 'Serving generation 1')
})

test('Logger shows code, source and cause of an McsError', async (t) => {
  const { logger, read } = logToFile(t, 'json')
  const cause = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
  logger.error('Reload refused', { error: new McsError('MCS_BIND_FAILED', 'Cannot bind', { source: 'system', cause }) })
  const [line] = await read()
  assert.deepEqual(JSON.parse(line ?? '').error, {
    code: 'MCS_BIND_FAILED',
    source: 'system',
    retryable: false,
    message: 'Cannot bind',
    cause: { code: 'EACCES', message: 'EACCES: permission denied' },
  })
})

test('Logger writes what JSON cannot say, and cuts what has no end', async (t) => {
  const { logger, read } = logToFile(t, 'json')
  const circle: Record<string, unknown> = {}
  circle.self = circle
  logger.info('odd', { circle, big: 1n, nan: Number.NaN, bytes: new Uint8Array(3), long: 'x'.repeat(10_000) })
  logger.error('fault', { error: new TypeError('boo') })
  const [odd, fault] = await read()
  const parsed = JSON.parse(odd ?? '')
  assert.equal(parsed.big, '1')
  assert.equal(parsed.nan, 'NaN')
  assert.equal(parsed.bytes, '3 bytes')
  assert.equal(parsed.long.length, 8193)
  assert.match(JSON.parse(fault ?? '').error.stack, /logger\.test/)
})

test('Logger.configure() changes level and format from the next line on', async (t) => {
  const { logger, read } = logToFile(t, 'json')
  logger.debug('unseen')
  logger.configure({ level: 'debug', format: 'text' })
  logger.debug('seen', { listener: 'edge', reason: 'two words' })
  logger.configure({ level: 'error', format: 'text' })
  logger.warn('unseen')
  const lines = await read()
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /^\d{4}-\d\d-\d\dT\S+Z debug seen listener=edge reason="two words"$/)
})

test('Logger lets no field or message forge a line or reach the terminal', async (t) => {
  const { logger, read } = logToFile(t, 'text')
  logger.info('one\ntwo\u001b[31m', { name: 'a\nb\u202e', 'k\n': 1 })
  const lines = await read()
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /one\\u\{a\}two\\u\{1b\}\[31m name="a\\nb\\u\{202e\}" k\\u\{a\}=1$/)
})

test('formatTextLine() gives the journal a priority and the terminal a colour', () => {
  const time = new Date(0)
  assert.equal(formatTextLine(time, 'warn', 'm', {}, 'journal'), '<4>1970-01-01T00:00:00.000Z warn  m')
  assert.equal(formatTextLine(time, 'warn', 'm', {}, 'terminal'), '1970-01-01T00:00:00.000Z \u001b[33mwarn \u001b[0m m')
})

test('Logger colours its words on a terminal only', needs('script'), async () => {
  const module = new URL(import.meta.resolve('#src/observe/logger.js')).pathname
  const program = `import('${module}').then(async ({ createLogger }) => {
    const logger = createLogger({ level: 'info', format: 'text' })
    logger.info('hello')
    await logger.flush()
  })`
  const child = spawnChild('script', ['-qec', `"${process.execPath}" -e "${program}"`, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH },
  })
  let output = ''
  for await (const chunk of child.stdout) output += chunk
  assert.ok(output.includes('\u001b[32minfo \u001b[0m hello'), output)
})

test('Logger on a stuck pipe loses lines, counts them, and returns at once', async (t) => {
  const path = join(temporaryDirectory(t), 'pipe')
  const reader = openStuckPipe(path)
  atEnd(t, () => closeSync(reader))
  const fd = openSync(path, constants.O_WRONLY)
  atEnd(t, () => closeSync(fd))
  fillPipe(path)
  const logger = createLogger({ level: 'info', format: 'json' }, fd, { maxPendingBytes: 10_000, retryMs: 1 })
  for (let i = 0; i < 2000; i++) logger.info('a line of some length', { i })
  assert.ok(logger.dropped > 0)
  assert.equal(await logger.flush(10), false)
})
