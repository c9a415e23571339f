import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { AccessLogging } from '#src/control/access-logging.js'
import { RowRegistry } from '#src/control/row-registry.js'
import { ACCESS_RECORD_BYTES } from '#src/shared/access-record.js'
import { RECORD_RING_BYTES, RecordRing } from '#src/shared/record-ring.js'
import { encodeAccessRecord, makeAccessRecord } from '../../helpers/access-record-maker.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

function createLogging(t: TestContext) {
  const registry = (what: string) => new RowRegistry(what, 8)
  const rows = { listeners: registry('listeners'), upstreams: registry('upstreams'), backends: registry('backends') }
  const ring = new RecordRing(new SharedArrayBuffer(RECORD_RING_BYTES))
  const logging = new AccessLogging(
    silent,
    () => rows,
    () => [ring],
  )
  atEnd(t, () => logging.stop())
  return { logging, rows, ring, file: join(temporaryDirectory(t), 'access.log') }
}

function write(ring: RecordRing, listenerRow = 0): void {
  const bytes = encodeAccessRecord(makeAccessRecord({ listenerRow }))
  const base = ring.reserve()
  for (let word = 0; word < ACCESS_RECORD_BYTES / 4; word++) ring.words[base + word] = bytes.getUint32(4 * word, true)
  ring.publish()
}

const lines = (file: string) => readFileSync(file, 'utf8').split('\n').filter(Boolean)

test('AccessLogging writes what rings hold, and goes on counting when the file changes', async (t) => {
  const { logging, ring, file } = createLogging(t)
  await (await logging.prepare({ to: file, format: 'json' })).commit()
  write(ring)
  await (await logging.prepare({ to: `${file}.2`, format: 'json' })).commit()
  write(ring)
  write(ring)
  await logging.stop()
  assert.deepEqual([lines(file).length, lines(`${file}.2`).length], [1, 2])
  assert.equal(logging.written, 3)
})

test('AccessLogging.prepare() leaves the log as it is when it is undone', async (t) => {
  const { logging, ring, file } = createLogging(t)
  await (await logging.prepare({ to: file, format: 'json' })).commit()
  ;(await logging.prepare({ to: `${file}.2`, format: 'json' })).undo()
  write(ring)
  await logging.stop()
  assert.equal(lines(file).length, 1)
})

test('AccessLogging.drain() drops what nobody logs, so that no later log names it after the next owner of its row', async (t) => {
  const { logging, rows, ring, file } = createLogging(t)
  // A connection that was accepted while there was a log ends after the log was taken out of the file.
  rows.listeners.rowFor('before', 'before')
  write(ring)
  rows.listeners.retain(new Set(['before']), { generation: 1, epoch: 1 })
  rows.listeners.retain(new Set(), { generation: 2, epoch: 2 })
  logging.drain()
  rows.listeners.collect({ generation: 2, epoch: 2 }, () => false)
  rows.listeners.rowFor('after', 'after')
  await (await logging.prepare({ to: file, format: 'json' })).commit()
  await logging.stop()
  assert.deepEqual(lines(file), [])
})
