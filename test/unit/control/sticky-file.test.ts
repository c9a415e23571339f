import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import { createStickyFile } from '#src/control/sticky-file.js'
import { McsError } from '#src/model/errors.js'
import { Script } from '../../helpers/script.ts'
import { batchesOf, collect, record, recordingLog } from '../../helpers/sticky-setup.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

const header = '{"mcs-lb":"sticky","version":1}'
const { log } = recordingLog()
const isSystemError = (error: unknown) => error instanceof McsError && error.code === 'MCS_SYSTEM'

test('createStickyFile().load() gives what save() was given, in a file that its owner alone may read', async (t) => {
  const path = join(temporaryDirectory(t), 'sticky')
  const records = [record('192.0.2.1'), record('2001:db8::', 'unix:/run/a "b"\n.sock'), record('192.0.2.3')]
  const file = createStickyFile(path, log)
  await file.save(batchesOf(records.slice(0, 2), [], records.slice(2)))
  assert.deepEqual(await collect(file.load()), records)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  await file.save(batchesOf(records.slice(1)))
  assert.deepEqual(await collect(file.load()), records.slice(1))
})

test('createStickyFile().load() gives nothing where there is no file, or an empty one', async (t) => {
  const path = join(temporaryDirectory(t), 'sticky')
  assert.deepEqual(await collect(createStickyFile(path, log).load()), [])
  writeFileSync(path, '')
  assert.deepEqual(await collect(createStickyFile(path, log).load()), [])
})

test('createStickyFile().load() gives every line of many reads once and in order', async (t) => {
  const path = join(temporaryDirectory(t), 'sticky')
  const records = Array.from({ length: 20_000 }, (_, n) =>
    record(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, 'é'.repeat(n % 90 || 1)),
  )
  const file = createStickyFile(path, log)
  await file.save(batchesOf(records))
  assert.deepEqual(await collect(file.load()), records)
})

test('createStickyFile().load() leaves out damaged lines, says so once, and takes the others', async (t) => {
  const path = join(temporaryDirectory(t), 'sticky')
  const good = (n: number) => JSON.stringify(['chat', `10.0.0.${n}`, '10.0.0.1:9100', 1_767_225_600_000])
  const bad = [
    '',
    'null',
    '{}',
    '[]',
    '["chat","10.0.0.1","b"]',
    '["chat","10.0.0.1","b",1,2]',
    '["chat","10.0.0.1","b","1"]',
    '["chat","10.0.0.1","b",1e999]',
    '["chat","10.0.0.1","b",1.5]',
    '["chat","10.0.0.1","",1]',
    '["chat","10.0.0.999","b",1]',
    '["chat","fe80::1%eth0","b",1]',
    '["","10.0.0.1","b",1]',
    `["${'x'.repeat(600)}","10.0.0.1","b",1]`,
    `["chat","10.0.0.1","${'x'.repeat(70_000)}",1]`,
    '["chat",["10.0.0.1"],"b",1]',
    '["__proto__","10.0.0.1",{"a":1},1]',
    '\u0000\u001b[31m\uffff',
    '["chat","10.0.0.1","b",1',
  ]
  const cut = good(9).slice(0, -4)
  writeFileSync(path, `${[header, good(1), ...bad.flatMap((line) => [line, good(2)]), good(3)].join('\n')}\n${cut}`)
  const { log, messages } = recordingLog()
  const clients = (await collect(createStickyFile(path, log).load())).map(({ client }) => client)
  assert.deepEqual(clients, ['10.0.0.1', ...bad.map(() => '10.0.0.2'), '10.0.0.3'])
  assert.equal(messages.length, 1)
  assert.ok(messages[0]?.includes(`"lines":${bad.length + 1}`), messages[0])
})

test('createStickyFile().load() takes no record from the inside of a line that is too long', async (t) => {
  const path = join(temporaryDirectory(t), 'sticky')
  const line = '["chat","10.0.0.1","b",1]'
  for (const length of [4097, 65_536, 131_072, 200_000]) {
    // The last part begins where a read may begin.
    writeFileSync(path, `${`${header}\n`.padEnd(length, 'x')}${line}\n${line}\n`)
    assert.equal((await collect(createStickyFile(path, log).load())).length, 1)
  }
})

test('createStickyFile().load() ignores a file of another version, which save() replaces', async (t) => {
  const path = join(temporaryDirectory(t), 'sticky')
  writeFileSync(path, '{"mcs-lb":"sticky","version":2}\n["chat","10.0.0.1","10.0.0.1:9100",1767225600000]\n')
  const { log, messages } = recordingLog()
  const file = createStickyFile(path, log)
  assert.deepEqual(await collect(file.load()), [])
  assert.match(messages.join(), /it is of another version/)
  await file.save(batchesOf([record('10.0.0.2')]))
  assert.equal((await collect(file.load())).length, 1)
})

test('createStickyFile() refuses a file that begins otherwise with MCS_SYSTEM, and leaves it as it is', async (t) => {
  const path = join(temporaryDirectory(t), 'sticky')
  const line = '["chat","10.0.0.1","10.0.0.1:9100",1767225600000]'
  const file = createStickyFile(path, log)
  for (const text of [line, `\n${header}\n${line}\n`, 'x', '{"mcs-lb"', '\n'.repeat(1e6), '\0'.repeat(100)]) {
    writeFileSync(path, text)
    await assert.rejects(collect(file.load()), isSystemError)
    await assert.rejects(
      file.save(batchesOf([record('10.0.0.1')])),
      /it is no file of sticky entries, and stays as it is/,
    )
    assert.equal(readFileSync(path, 'utf8'), text)
    assert.equal(statSync(`${path}.new`, { throwIfNoEntry: false }), undefined)
  }
  writeFileSync(path, '')
  await file.save(batchesOf([record('10.0.0.1')]))
  assert.equal((await collect(file.load())).length, 1)
})

test('createStickyFile().save() refuses a file of others that has the name of the one that it writes first', async (t) => {
  const path = join(temporaryDirectory(t), 'sticky')
  writeFileSync(`${path}.new`, 'precious')
  const file = createStickyFile(path, log)
  await assert.rejects(file.save(batchesOf([record('10.0.0.1')])), /sticky\.new" is no file of sticky entries/)
  assert.equal(readFileSync(`${path}.new`, 'utf8'), 'precious')
})

test('createStickyFile().load() never throws for what is in a file, and gives only records', async (t) => {
  const path = join(temporaryDirectory(t), 'sticky')
  const file = createStickyFile(path, log)
  const part = fc.oneof(
    fc.constantFrom('["chat"', ',"10.0.0.1"', ',"b",1]', '\n', '\n["', '\0', header),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.json(),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 30 }), fc.uint8Array({ maxLength: 50 }), async (parts, bytes) => {
      writeFileSync(path, Buffer.concat([Buffer.from(`${header}\n${parts.join('')}`), bytes]))
      for (const { upstream, client, backend, expiresAtMs } of await collect(file.load())) {
        assert.ok(upstream.length > 0 && client.length > 0 && backend.length > 0 && Number.isInteger(expiresAtMs))
      }
    }),
    { numRuns: 200 },
  )
})

test('createStickyFile().load() gives up a file of nothing but damage, and one line without end takes no memory', async (t) => {
  const path = join(temporaryDirectory(t), 'sticky')
  writeFileSync(path, `${header}\n${'\n'.repeat(300_000)}["chat","10.0.0.1","b",1]\n`)
  assert.deepEqual(await collect(createStickyFile(path, log).load()), [])
  writeFileSync(path, `${header}\n${'["'.repeat(20e6)}`)
  const before = process.memoryUsage().rss
  assert.deepEqual(await collect(createStickyFile(path, log).load()), [])
  assert.ok(process.memoryUsage().rss - before < 16 * 2 ** 20)
})

test('createStickyFile() refuses what is no regular file with MCS_SYSTEM, and does not wait for a pipe', async (t) => {
  const directory = temporaryDirectory(t)
  const [pipe, folder] = [join(directory, 'pipe'), join(directory, 'folder')]
  execFileSync('mkfifo', [pipe])
  mkdirSync(folder)
  await assert.rejects(collect(createStickyFile(pipe, log).load()), isSystemError)
  await assert.rejects(collect(createStickyFile(folder, log).load()), isSystemError)
  await assert.rejects(createStickyFile(folder, log).save(batchesOf([record('10.0.0.1')])), isSystemError)
  const missing = createStickyFile(join(directory, 'none', 'sticky'), log)
  await assert.rejects(missing.save(batchesOf([record('10.0.0.1')])), /ENOENT.*check the path/)
})

test('createStickyFile().save() follows no link beside its file, and leaves the old one where it fails', async (t) => {
  const directory = temporaryDirectory(t)
  const [path, victim] = [join(directory, 'sticky'), join(directory, 'victim')]
  writeFileSync(victim, 'precious')
  symlinkSync(victim, `${path}.new`)
  const file = createStickyFile(path, log)
  await file.save(batchesOf([record('10.0.0.1')]))
  assert.equal(readFileSync(victim, 'utf8'), 'precious')
  const broken = async function* () {
    yield [record('10.0.0.2')]
    throw new Error('the disk is full')
  }
  await assert.rejects(file.save(broken()), isSystemError)
  assert.deepEqual(
    (await collect(file.load())).map(({ client }) => client),
    ['10.0.0.1'],
  )
  assert.deepEqual(readdirSync(directory).sort(), ['sticky', 'victim'])
})

test('createStickyFile() keeps a whole file through kill -9 in the middle of writing, again and again', async (t) => {
  const path = join(temporaryDirectory(t), 'sticky')
  const file = createStickyFile(path, log)
  await file.save(batchesOf([record('10.9.9.9')]))
  for (let round = 0; round < 4; round++) {
    const before = statSync(path).ino
    const script = new Script(t, endlessSaves(path))
    // Killed when it has saved, while the next file is half written.
    await waitUntil('a file was saved', () => statSync(path).ino !== before, 10_000)
    await waitUntil(
      'the next is half written',
      () => (statSync(`${path}.new`, { throwIfNoEntry: false })?.size ?? 0) > 1000,
    )
    script.child.kill('SIGKILL')
    await script.ended
    const { log, messages } = recordingLog()
    assert.equal((await collect(createStickyFile(path, log).load())).length, 1000)
    assert.deepEqual(messages, [])
  }
  await file.save(batchesOf([record('10.9.9.9')]))
  assert.equal((await collect(file.load())).length, 1)
})

function endlessSaves(path: string): string {
  return `
    import { createStickyFile } from '#src/control/sticky-file.js'
    import { setImmediate as nextTurn } from 'node:timers/promises'
    const file = createStickyFile(${JSON.stringify(path)}, console)
    async function* batches() {
      for (let n = 0; n < 1000; n++) {
        yield [{ upstream: 'chat', client: '10.0.' + (n >> 8) + '.' + (n & 255), backend: 'b', expiresAtMs: 1 }]
        await nextTurn()
      }
    }
    for (;;) await file.save(batches())`
}
