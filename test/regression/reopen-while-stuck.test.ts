import assert from 'node:assert/strict'
import { closeSync, existsSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Sink } from '#src/observe/sink.js'
import { atEnd } from '../helpers/cleanup.ts'
import { drainPipe, openStuckPipe } from '../helpers/named-pipe.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// Each SIGUSR2 opened the access log again and kept that descriptor until all earlier lines were written. Where the log
// was a pipe whose reader hung, that was never: every rotation took one more descriptor, until clients were refused for
// want of them.
test('Sink.reopen() keeps one descriptor for all that ask while the earlier file is stuck', async (t) => {
  const path = join(temporaryDirectory(t), 'access.log')
  const reader = openStuckPipe(path)
  atEnd(t, () => closeSync(reader))
  const sink = await Sink.open(path, { retryMs: 1 })
  const lines = 'x'.repeat(99).concat('\n').repeat(2000)
  sink.write(lines)
  await waitUntil('the pipe is full', async () => !(await sink.flush(5)))
  const before = openDescriptors()
  const reopened: Promise<void>[] = []
  for (let rotation = 0; rotation < 5; rotation++) {
    renameSync(path, `${path}.${rotation}`)
    reopened.push(sink.reopen(60_000))
    await waitUntil('the file is opened anew', () => existsSync(path))
  }
  await waitUntil('one descriptor waits', () => openDescriptors() === before + 1)
  let text = ''
  await waitUntil('the pipe is drained', () => {
    text += drainPipe(reader)
    return text.length === lines.length
  })
  await Promise.all(reopened)
  sink.write('after\n')
  await sink.close()
  assert.equal(readFileSync(path, 'utf8'), 'after\n', 'the latest file is the one that is written to')
  await waitUntil('nothing is left open', () => openDescriptors() === before - 1)
})

const openDescriptors = () => readdirSync('/proc/self/fd').length
