import assert from 'node:assert/strict'
import { readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type AccessLogWriter, type DrainRecords, openAccessLog } from '#src/observe/access-log-writer.js'
import type { Logger } from '#src/observe/logger.js'
import { encodeAccessRecord, makeAccessRecord } from '../../helpers/access-record-maker.js'
import { spawnChild } from '../../helpers/child-process.ts'
import { atEnd } from '../../helpers/cleanup.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.js'
import { waitUntil } from '../../helpers/wait-until.js'

const view = encodeAccessRecord(makeAccessRecord())
const names = { listener: () => 'edge', upstream: () => 'chat', backend: () => '10.0.0.1:9100' }

/** Rings in which `waiting` records wait, each the same. */
class Rings {
  waiting = 0
  drains = 0
  largestDrain = 0

  drain: DrainRecords = (onRecord, limit) => {
    this.drains++
    const count = Math.min(this.waiting, limit)
    this.waiting -= count
    this.largestDrain = Math.max(this.largestDrain, count)
    for (let i = 0; i < count; i++) onRecord(view, 0)
    return count
  }
}

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

async function open(to: string, rings: Rings, log = quiet): Promise<AccessLogWriter> {
  const writer = await openAccessLog({ to, format: 'json' }, { drain: rings.drain, names, log })
  assert.ok(writer !== undefined)
  return writer
}

const linesOf = (path: string): number => readFileSync(path, 'utf8').split('\n').length - 1

test('openAccessLog() opens nothing for none', async () => {
  const options = { drain: new Rings().drain, names, log: quiet }
  assert.equal(await openAccessLog({ to: 'none', format: 'json' }, options), undefined)
})

test('openAccessLog() rejects a file that cannot be opened', async (t) => {
  const to = join(temporaryDirectory(t), 'nowhere', 'access.log')
  await assert.rejects(open(to, new Rings()), { code: 'MCS_LOG_UNWRITABLE' })
})

test('AccessLogWriter brings records from the rings to the file, in bounded steps', async (t) => {
  const path = join(temporaryDirectory(t), 'access.log')
  const rings = new Rings()
  const writer = await open(path, rings)
  rings.waiting = 30_000
  writer.start()
  await waitUntil('the records are written', () => writer.written + writer.dropped === 30_000)
  assert.ok(rings.largestDrain < 5000)
  rings.waiting = 10
  await waitUntil('more records are written', () => writer.written === 30_010)
  await writer.stop()
  assert.equal(linesOf(path), 30_010)
  assert.equal(writer.dropped, 0)
})

test('AccessLogWriter.stop() drains the rings a last time', async (t) => {
  const path = join(temporaryDirectory(t), 'access.log')
  const rings = new Rings()
  const writer = await open(path, rings)
  writer.start()
  // More than the sink has room for at one time.
  rings.waiting = 30_000
  await writer.stop(20_000)
  assert.equal(rings.waiting, 0)
  assert.equal(linesOf(path), 30_000)
  const drains = rings.drains
  await writer.stop()
  assert.equal(rings.drains, drains)
})

test('AccessLogWriter.stop() leaves the rings alone when it was never started', async (t) => {
  const rings = new Rings()
  const writer = await open(join(temporaryDirectory(t), 'access.log'), rings)
  rings.waiting = 3
  await writer.stop()
  assert.equal(rings.waiting, 3)
})

test('AccessLogWriter.stop() ends though the rings are written to without end', async (t) => {
  const rings = new Rings()
  rings.drain = (onRecord, limit) => {
    for (let i = 0; i < 3; i++) onRecord(view, 0)
    return limit
  }
  const writer = await open(join(temporaryDirectory(t), 'access.log'), rings)
  writer.start()
  await writer.stop()
  assert.equal(writer.written, 3 * 256)
})

test('AccessLogWriter.reopen() leaves what waited in the old file', async (t) => {
  const path = join(temporaryDirectory(t), 'access.log')
  const rings = new Rings()
  const writer = await open(path, rings)
  writer.start()
  rings.waiting = 7
  renameSync(path, `${path}.1`)
  await writer.reopen()
  rings.waiting = 2
  await writer.stop()
  assert.equal(linesOf(`${path}.1`), 7)
  assert.equal(linesOf(path), 2)
})

test('AccessLogWriter counts records that cannot be formatted, and says so once', async (t) => {
  const rings = new Rings()
  const errors: string[] = []
  const failing = { ...names, listener: () => assert.fail('no such row') }
  const to = join(temporaryDirectory(t), 'access.log')
  const log = { ...quiet, error: (message: string) => errors.push(message) }
  const writer = await openAccessLog({ to, format: 'json' }, { drain: rings.drain, names: failing, log })
  rings.waiting = 4
  writer?.start()
  await writer?.stop()
  assert.equal(writer?.dropped, 4)
  assert.deepEqual(errors, ['Cannot format an access record'])
  assert.equal(readFileSync(to, 'utf8'), '', 'no half of a line is written')
})

test('AccessLogWriter counts what a full disk loses', async () => {
  const rings = new Rings()
  const warnings: unknown[] = []
  const log = {
    ...quiet,
    warn: (_: string, fields?: Readonly<Record<string, unknown>>) => warnings.push(fields?.lines),
  }
  const writer = await open('/dev/full', rings, log)
  rings.waiting = 4
  writer.start()
  await writer.stop()
  assert.equal(writer.dropped, 4)
  assert.deepEqual(warnings, [4])
})

test('AccessLogWriter keeps no process alive', async (t) => {
  const module = new URL(import.meta.resolve('#src/observe/access-log-writer.js')).pathname
  const config = JSON.stringify({ to: join(temporaryDirectory(t), 'access.log'), format: 'json' })
  const program = `
    const { openAccessLog } = await import(${JSON.stringify(module)})
    const writer = await openAccessLog(${config}, { drain: () => 0, names: {}, log: {} })
    writer.start()`
  const child = spawnChild(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' })
  atEnd(t, () => child.kill('SIGKILL'))
  await waitUntil('the process ends', () => child.exitCode !== null, 10_000)
  assert.equal(child.exitCode, 0)
})
