import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { McsError } from '#src/model/errors.js'
import type { DropReport } from '#src/observe/drop-reporter.js'
import { Sink } from '#src/observe/sink.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { drainPipe, openPipeReader, openStuckPipe } from '../../helpers/named-pipe.js'
import { temporaryDirectory } from '../../helpers/temporary-directory.js'
import { waitUntil } from '../../helpers/wait-until.js'

const line = (number: number): string => `line ${number} ${'x'.repeat(90)}\n`

test('Sink.write() appends whole lines in order to a file of mode 0640', async (t) => {
  const path = join(temporaryDirectory(t), 'a.log')
  const sink = await Sink.open(path)
  let expected = ''
  for (let i = 0; i < 20_000; i++) {
    sink.write(line(i))
    expected += line(i)
  }
  assert.equal(await sink.flush(), true)
  assert.equal(readFileSync(path, 'utf8'), expected)
  assert.equal(statSync(path).mode & 0o777, 0o640)
  assert.equal(sink.written, 20_000)
  await sink.close()
  const again = await Sink.open(path)
  again.write('more\n')
  await again.close()
  assert.equal(readFileSync(path, 'utf8'), `${expected}more\n`)
})

test('Sink.open() rejects with MCS_LOG_UNWRITABLE and a remedy when the directory is missing', async (t) => {
  const path = join(temporaryDirectory(t), 'nowhere', 'a.log')
  await assert.rejects(Sink.open(path), (error) => {
    assert.ok(error instanceof McsError)
    assert.equal(error.code, 'MCS_LOG_UNWRITABLE')
    assert.match(error.message, /there is no directory ".*nowhere"; create it/)
    return true
  })
})

test('Sink.open() refuses a named pipe without a reader instead of waiting for one', async (t) => {
  const path = join(temporaryDirectory(t), 'pipe')
  closeSync(openStuckPipe(path))
  await assert.rejects(Sink.open(path), { code: 'MCS_LOG_UNWRITABLE', message: /start its reader first/ })
})

test('Sink.open() says of a socket what to write in its place', async (t) => {
  const path = join(temporaryDirectory(t), 'socket')
  const server = createServer().listen(path)
  await once(server, 'listening')
  atEnd(t, () => server.close())
  await assert.rejects(Sink.open(path), {
    code: 'MCS_LOG_UNWRITABLE',
    message: /: it is a socket; write accessLog\.to: stdout for the output of mcs-lb, or name a file$/,
  })
})

test('Sink.open() says which limit to raise where no descriptor is left', async (t) => {
  const path = join(temporaryDirectory(t), 'a.log')
  const program = `import { execFileSync } from 'node:child_process'
import { Sink } from ${JSON.stringify(import.meta.resolve('#src/observe/sink.js'))}
execFileSync('prlimit', ['--pid', process.pid, '--nofile=3:'])
await Sink.open(${JSON.stringify(path)}).catch((error) => console.log(error.message))`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  assert.match(stdout, /: no file descriptor is left; raise the limit: LimitNOFILE under systemd/)
})

test('Sink.reopen() leaves what was taken before in the old file and puts the rest into the new one', async (t) => {
  const path = join(temporaryDirectory(t), 'a.log')
  const sink = await Sink.open(path)
  for (let i = 0; i < 10_000; i++) sink.write(line(i))
  renameSync(path, `${path}.1`)
  await sink.reopen()
  sink.write('after\n')
  await sink.close()
  assert.equal(readFileSync(`${path}.1`, 'utf8').split('\n').length, 10_001)
  assert.equal(readFileSync(path, 'utf8'), 'after\n')
})

test('Sink.reopen() waits for a slow old file with what was taken before', async (t) => {
  const path = join(temporaryDirectory(t), 'pipe')
  const reader = openStuckPipe(path)
  atEnd(t, () => closeSync(reader))
  const sink = await Sink.open(path, { retryMs: 1 })
  for (let i = 0; i < 2000; i++) sink.write(line(i))
  await waitUntil('the pipe is full', async () => !(await sink.flush(5)))
  renameSync(path, `${path}.1`)
  const reopened = sink.reopen(60_000)
  await waitUntil('the new file is opened', () => existsSync(path))
  let text = ''
  await waitUntil('the pipe is drained', () => {
    text += drainPipe(reader)
    return sink.written === 2000
  })
  await reopened
  text += drainPipe(reader)
  sink.write('after\n')
  await sink.close()
  assert.equal(text.split('\n').length, 2001)
  assert.equal(readFileSync(path, 'utf8'), 'after\n')
})

test('Sink.reopen() says when the old file takes nothing, and goes over to the new one all the same', async (t) => {
  const path = join(temporaryDirectory(t), 'pipe')
  const reader = openStuckPipe(path)
  atEnd(t, () => closeSync(reader))
  const sink = await Sink.open(path, { retryMs: 1 })
  for (let i = 0; i < 2000; i++) sink.write(line(i))
  await waitUntil('the pipe is full', async () => !(await sink.flush(5)))
  renameSync(path, `${path}.1`)
  await assert.rejects(sink.reopen(5), {
    code: 'MCS_LOG_UNWRITABLE',
    message:
      /^Cannot go on in the new log file ".*pipe" yet: \d+ bytes wait for the earlier one; look at what reads that/,
  })
  sink.write('after\n')
  let text = ''
  await waitUntil('the pipe is drained', () => {
    text += drainPipe(reader)
    return sink.written === 2001
  })
  await sink.close()
  assert.equal(
    text + drainPipe(reader) + readFileSync(path, 'utf8'),
    `${Array.from({ length: 2000 }, (_, i) => line(i)).join('')}after\n`,
  )
  assert.equal(sink.dropped, 0)
})

test('Sink.reopen() keeps the old file when the new one cannot be opened', async (t) => {
  const directory = temporaryDirectory(t)
  const path = join(directory, 'logs')
  const sink = await Sink.open(path)
  renameSync(path, `${path}.1`)
  closeSync(openStuckPipe(path))
  await assert.rejects(sink.reopen(), { code: 'MCS_LOG_UNWRITABLE' })
  sink.write('still here\n')
  await sink.close()
  assert.equal(readFileSync(`${path}.1`, 'utf8'), 'still here\n')
})

test('Sink drops and counts on a full disk, and reports it once in the interval', async () => {
  const reports: DropReport[] = []
  const fd = openSync('/dev/full', 'w')
  const sink = Sink.over(fd, { onDrop: (report) => reports.push(report) })
  for (let i = 0; i < 5; i++) {
    sink.write('one\ntwo\n')
    assert.equal(await sink.flush(), true)
  }
  assert.equal(sink.dropped, 10)
  assert.equal(sink.written, 0)
  assert.equal(reports.length, 1)
  assert.equal(reports[0]?.error.code, 'MCS_SYSTEM')
  assert.match(reports[0]?.error.message ?? '', /ENOSPC/)
  await sink.close()
  assert.equal(reports.length, 2)
  assert.equal(reports[1]?.lines, 8)
  closeSync(fd)
})

test('Sink drops whole lines past its bound while a pipe is stuck, and goes on when it is read', async (t) => {
  const path = join(temporaryDirectory(t), 'pipe')
  const reader = openStuckPipe(path)
  atEnd(t, () => closeSync(reader))
  const sink = await Sink.open(path, { maxPendingBytes: 200_000, retryMs: 1 })
  for (let i = 0; i < 10_000; i++) sink.write(line(i))
  assert.ok(sink.dropped > 5000)
  assert.equal(await sink.flush(20), false)
  const flushed = sink.flush()
  let text = ''
  await waitUntil('the pipe is drained', () => {
    text += drainPipe(reader)
    return sink.written + sink.dropped === 10_000
  })
  assert.equal(await flushed, true)
  text += drainPipe(reader)
  let expected = ''
  for (let i = 0; i < sink.written; i++) expected += line(i)
  assert.equal(text, expected)
  await sink.close()
})

test('Sink.over() leaves the mode of a shared pipe alone and never blocks on it', async (t) => {
  const path = join(temporaryDirectory(t), 'pipe')
  const reader = openStuckPipe(path)
  atEnd(t, () => closeSync(reader))
  const shared = openSync(path, constants.O_WRONLY)
  atEnd(t, () => closeSync(shared))
  const sink = Sink.over(shared, { retryMs: 1 })
  for (let i = 0; i < 5000; i++) sink.write(line(i))
  assert.equal(await sink.flush(20), false)
  const flags = Number.parseInt(
    /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${shared}`, 'utf8'))?.[1] ?? '',
    8,
  )
  assert.equal(flags & constants.O_NONBLOCK, 0)
  await sink.close(1)
  // A write that was under way counts when it returns.
  await waitUntil('every line is written or lost', () => sink.written + sink.dropped === 5000)
})

test('Sink finishes a line that was cut by an error before it writes the next one', async (t) => {
  const path = join(temporaryDirectory(t), 'pipe')
  const reader = openStuckPipe(path)
  const sink = await Sink.open(path, { retryMs: 1 })
  // In one write, of which the pipe takes what is no whole number of lines.
  sink.write(Array.from({ length: 1000 }, (_, i) => line(i)).join(''))
  await waitUntil('the pipe is full', async () => !(await sink.flush(5)))
  closeSync(reader)
  assert.equal(await sink.flush(), true)
  const laterReader = openPipeReader(path)
  atEnd(t, () => closeSync(laterReader))
  const cut = drainPipe(laterReader)
  assert.notEqual(cut.at(-1), '\n')
  sink.write('next\n')
  assert.equal(await sink.flush(), true)
  let expected = ''
  for (let i = 0; i < sink.written - 1; i++) expected += line(i)
  assert.equal(cut + drainPipe(laterReader), `${expected}next\n`)
  assert.equal(sink.written + sink.dropped, 1001)
  await sink.close()
})

test('Sink.write() drops and counts after close()', async (t) => {
  const sink = await Sink.open(join(temporaryDirectory(t), 'a.log'))
  await sink.close()
  sink.write('late\n')
  assert.equal(sink.dropped, 1)
})

test('Sink.close() writes what was taken and closes its descriptor', async (t) => {
  const path = join(temporaryDirectory(t), 'a.log')
  const sink = await Sink.open(path)
  for (let i = 0; i < 5000; i++) sink.write(line(i))
  await sink.close()
  assert.equal(sink.written, 5000)
  await waitUntil('no descriptor leads to the file', () =>
    readdirSync('/proc/self/fd').every((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) !== path
      } catch {
        return true
      }
    }),
  )
})
