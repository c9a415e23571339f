import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type WatchOptions, watchConfig } from '#src/config/watch.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { eventually } from './eventually.ts'

interface Watched {
  readonly file: string
  /** What the file held at each call. */
  readonly seen: string[]
  /** Makes a change and waits until the watch has told of it. */
  change(text: string, make: () => void): Promise<void>
}

const debounceMs = 30

/** Lets a watch be set up, or shows that it has nothing to tell: silence has no condition to wait for. */
function silence(): Promise<void> {
  return wait(5 * debounceMs)
}

/** A watch on a file, without polling unless asked for, so that only events can tell. */
async function start(t: TestContext, file: string, options: Partial<WatchOptions> = {}): Promise<Watched> {
  const seen: string[] = []
  const tell = () => seen.push(existsSync(file) ? readFileSync(file, 'utf8') : 'gone')
  const watch = watchConfig(file, { debounceMs, pollMs: Number.POSITIVE_INFINITY, ...options }, tell)
  atEnd(t, () => watch.close())
  const change = async (text: string, make: () => void): Promise<void> => {
    await silence()
    make()
    await eventually(`the watch tells of ${text}`, () => seen.at(-1) === text)
  }
  return { file, seen, change }
}

function folder(t: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'mcs-lb-watch-')))
  atEnd(t, () => rmSync(path, { recursive: true, force: true }))
  return path
}

function fileIn(directory: string, text: string): string {
  const file = join(directory, 'lb.yaml')
  writeFileSync(file, text)
  return file
}

function renameOver(file: string, text: string): void {
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}

/** Kubernetes' way to change a mounted file: another folder, another link, one rename. */
function publish(directory: string, version: string): void {
  mkdirSync(join(directory, `..${version}`))
  writeFileSync(join(directory, `..${version}`, 'lb.yaml'), version)
  symlinkSync(`..${version}`, join(directory, '..data_tmp'))
  renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
}

test('watchConfig() tells of a write in place, again and again', async (t) => {
  const { file, seen, change } = await start(t, fileIn(folder(t), 'one'))
  await change('two', () => writeFileSync(file, 'two'))
  await change('three', () => writeFileSync(file, 'three'))
  assert.deepEqual(seen, ['two', 'three'])
})

test('watchConfig() tells of a file that was renamed over it, again and again', async (t) => {
  const { file, seen, change } = await start(t, fileIn(folder(t), 'one'))
  await change('two', () => renameOver(file, 'two'))
  await change('three', () => renameOver(file, 'three'))
  await change('four', () => writeFileSync(file, 'four'))
  assert.deepEqual(seen, ['two', 'three', 'four'])
})

test('watchConfig() tells of a file that an editor moved away before it wrote another', async (t) => {
  const { file, change } = await start(t, fileIn(folder(t), 'one'))
  await change('two', () => {
    renameSync(file, `${file}~`)
    writeFileSync(file, 'two')
  })
})

test('watchConfig() tells of the swapped link of a Kubernetes mount, again and again', async (t) => {
  const directory = folder(t)
  publish(directory, '2024_1')
  symlinkSync('..data/lb.yaml', join(directory, 'lb.yaml'))
  const { change } = await start(t, join(directory, 'lb.yaml'))
  await change('2024_2', () => publish(directory, '2024_2'))
  rmSync(join(directory, '..2024_1'), { recursive: true })
  await change('2024_3', () => publish(directory, '2024_3'))
})

test('watchConfig() tells of a link that leads to another folder, and of writes there', async (t) => {
  const [here, there] = [folder(t), folder(t)]
  const target = fileIn(there, 'one')
  const file = join(here, 'lb.yaml')
  symlinkSync(target, file)
  const { change } = await start(t, file)
  await change('two', () => writeFileSync(target, 'two'))
  await change('three', () => renameOver(target, 'three'))
  await change('four', () => {
    rmSync(file)
    writeFileSync(file, 'four')
  })
})

test('watchConfig() makes one call of a burst', async (t) => {
  const { file, seen } = await start(t, fileIn(folder(t), 'write 0'), { debounceMs: 300 })
  for (let i = 1; i <= 40; i++) {
    writeFileSync(file, `write ${i}`)
    await wait(10)
  }
  await eventually('the watch tells of the last write', () => seen.length > 0)
  assert.deepEqual(seen, ['write 40'])
})

test('watchConfig() tells of a change that was made before its watches stood', async (t) => {
  const { file, seen } = await start(t, fileIn(folder(t), 'one'))
  writeFileSync(file, 'two')
  await eventually('the watch tells of it', () => seen.at(-1) === 'two')
})

test('watchConfig() tells of a file that never rests', async (t) => {
  const { file, seen } = await start(t, fileIn(folder(t), 'one'))
  let writes = 0
  const writer = setInterval(() => writeFileSync(file, `write ${writes++}`), 5)
  atEnd(t, () => clearInterval(writer))
  await eventually('the watch tells of a write', () => seen.length > 0)
})

test('watchConfig() waits for a folder that vanished and came back', async (t) => {
  const parent = folder(t)
  const directory = join(parent, 'etc', 'mcs-lb')
  mkdirSync(directory, { recursive: true })
  const { file, seen, change } = await start(t, fileIn(directory, 'one'))
  await change('two', () => writeFileSync(file, 'two'))
  rmSync(dirname(directory), { recursive: true })
  await change('three', () => {
    mkdirSync(directory, { recursive: true })
    writeFileSync(file, 'three')
  })
  await change('four', () => writeFileSync(file, 'four'))
  assert.deepEqual(seen, ['two', 'three', 'four'])
})

test('watchConfig() says nothing of a touch, of the same content, or of other files', async (t) => {
  const { file, seen, change } = await start(t, fileIn(folder(t), 'one'))
  const quiet: (() => void)[] = [
    () => utimesSync(file, new Date(), new Date()),
    () => renameOver(file, 'one'),
    () => writeFileSync(`${file}.other`, 'other'),
    () => rmSync(file),
    () => writeFileSync(file, 'one'),
  ]
  for (const make of quiet) {
    make()
    await silence()
  }
  assert.deepEqual(seen, [])
  await change('two', () => writeFileSync(file, 'two'))
})

test('watchConfig() is not kept waiting by other files of the folder', async (t) => {
  const { file, seen } = await start(t, fileIn(folder(t), 'one'), { debounceMs: 500 })
  const noise = setInterval(() => writeFileSync(`${file}.log`, `${Math.random()}`), 5)
  atEnd(t, () => clearInterval(noise))
  writeFileSync(file, 'two')
  await eventually('the watch tells before its wait is cut short', () => seen.at(-1) === 'two', 4000)
})

test('watchConfig() finds a change by polling where there are no events', async (t) => {
  const parent = folder(t)
  const directory = join(parent, 'etc')
  mkdirSync(directory)
  const file = fileIn(directory, 'one')
  const { change } = await start(t, file, { pollMs: 20 })
  await change('two', () => {
    // Two renames above the folder: no watch on the folder or the file hears of them.
    renameSync(parent, `${parent}-moved`)
    atEnd(t, () => rmSync(`${parent}-moved`, { recursive: true, force: true }))
    mkdirSync(directory, { recursive: true })
    writeFileSync(file, 'two')
  })
})

test('watchConfig() says nothing after close()', async (t) => {
  const file = fileIn(folder(t), 'one')
  const seen: string[] = []
  const closed = watchConfig(file, { debounceMs: 30 }, () => seen.push('closed'))
  await closed.close()
  const { change } = await start(t, file)
  await change('two', () => writeFileSync(file, 'two'))
  await silence()
  assert.deepEqual(seen, [])
})

test('watchConfig() tells once that the file is gone, and again only after it was back', async (t) => {
  const file = fileIn(folder(t), 'one')
  let gone = 0
  const { change } = await start(t, file, { onGone: () => gone++ })
  await silence()
  rmSync(file)
  await eventually('it tells that the file is gone', () => gone === 1)
  writeFileSync(join(dirname(file), 'another'), '')
  await change('two', () => writeFileSync(file, 'two'))
  assert.equal(gone, 1)
  rmSync(file)
  await eventually('it tells so again', () => gone === 2)
})

test('watchConfig() says of a file that is replaced at once not that it is gone', async (t) => {
  const file = fileIn(folder(t), 'one')
  let gone = 0
  const { change } = await start(t, file, { onGone: () => gone++ })
  await change('two', () => {
    rmSync(file)
    writeFileSync(file, 'two')
  })
  assert.equal(gone, 0)
})

test('watchConfig() in a folder of many files, of which one changes all the time, costs little and sees a change', async (t) => {
  const directory = folder(t)
  for (let n = 0; n < 3000; n++) writeFileSync(join(directory, `${n}`), '')
  const { seen, file } = await start(t, fileIn(directory, 'one'))
  const writing = setInterval(() => writeFileSync(join(directory, '7'), 'x'), 10)
  atEnd(t, () => clearInterval(writing))
  await wait(500)
  const before = process.cpuUsage()
  await wait(2000)
  const { user, system } = process.cpuUsage(before)
  assert.ok(user + system < 1_000_000, `${user + system} us of 2 s`)
  renameOver(file, 'two')
  await eventually('the change is seen', () => seen.at(-1) === 'two')
  renameOver(file, 'three')
  await eventually('the next one is seen', () => seen.at(-1) === 'three')
})
