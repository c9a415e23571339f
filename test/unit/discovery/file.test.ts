import assert from 'node:assert/strict'
import { readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { DiscoveryConfig } from '#src/model/config.js'
import { discoveryBase, type Followed, follow } from '../../helpers/discovery-maker.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

function configOf(path: string, intervalMs = 3_600_000): DiscoveryConfig {
  return { ...discoveryBase, type: 'file', path, intervalMs }
}

function listFile(t: TestContext, text: string): string {
  const path = join(temporaryDirectory(t), 'members.yaml')
  writeFileSync(path, text)
  return path
}

async function shows(followed: Followed, ...wanted: readonly string[]): Promise<void> {
  await waitUntil(`members are ${wanted}`, () => followed.addresses().join() === wanted.join())
}

test('startDiscovery() takes YAML and JSON lists, and hears of changes without waiting for the interval', async (t) => {
  const path = listFile(t, '- 10.0.0.1:9100\n- { address: "[fd00::1]:9100", weight: 4, backup: true }\n')
  const followed = follow(t, configOf(path))
  await shows(followed, '10.0.0.1:9100', '[fd00::1]:9100')
  assert.equal(followed.discovery.members[1]?.weight, 4)
  writeFileSync(`${path}.new`, '["10.0.0.1:9100", {"address": "10.0.0.2:9100"}, "[fd00::1]:9100"]')
  renameSync(`${path}.new`, path)
  await shows(followed, '10.0.0.1:9100', '10.0.0.2:9100', '[fd00::1]:9100')
})

test('startDiscovery() keeps the members of a file that breaks, empties, or is a bomb, and says why', async (t) => {
  const path = listFile(t, '- 10.0.0.1:9100\n- 10.0.0.2:9100\n')
  const followed = follow(t, configOf(path, 100))
  await shows(followed, '10.0.0.1:9100', '10.0.0.2:9100')
  const bomb = `a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n`
  for (const text of ['{ broken', 'members: 7', bomb, `- ${'x'.repeat(1024 * 1024)}`]) {
    writeFileSync(path, text)
    await waitUntil('the source is lost', () => followed.discovery.status().state === 'lost')
    assert.match(followed.discovery.status().reason, /^Cannot take members from ".*members\.yaml": .+/)
    writeFileSync(path, '- 10.0.0.1:9100\n- 10.0.0.2:9100\n')
    await waitUntil('the source is good', () => followed.discovery.status().state === 'good')
  }
  writeFileSync(path, '[]')
  await waitUntil('the source is empty', () => followed.discovery.status().state === 'empty')
  assert.equal(followed.lists.length, 1)
})

// Each prefix of a YAML list is a list: half of the backends left, and came back, whenever a program took its time to
// write the file.
test('startDiscovery() takes no list that is half written in place, nor one without its end that is new', async (t) => {
  const whole = [1, 2, 3, 4].map((host) => `- 10.0.0.${host}:9100\n`)
  const path = listFile(t, whole.join(''))
  const followed = follow(t, { ...configOf(path), maxRemoval: 1 })
  await shows(followed, ...[1, 2, 3, 4].map((host) => `10.0.0.${host}:9100`))
  for (const part of [whole.slice(0, 2).join(''), '- 10.0.0.1:9100\n- 10.0.0.2:91']) {
    writeFileSync(path, part)
    await pauseWithin()
    writeFileSync(path, [...whole, '- 10.0.0.5:9100\n'].join(''))
    await waitUntil('the fifth is there', () => followed.addresses().length === 5)
    writeFileSync(`${path}.new`, part.trimEnd())
    renameSync(`${path}.new`, path)
    await pauseWithin()
    writeFileSync(path, whole.join(''))
    await waitUntil('it has gone again', () => followed.addresses().length === 4)
  }
  assert.ok(
    followed.lists.every((list) => list.length >= 4),
    JSON.stringify(followed.lists),
  )
  writeFileSync(path, whole.slice(0, 2).join('').trimEnd())
  await shows(followed, '10.0.0.1:9100', '10.0.0.2:9100')
  assert.equal(followed.discovery.status().state, 'good')
})

/** What a writer that pauses lets pass, longer than it takes until a change is seen, and shorter than it must be quiet. */
function pauseWithin(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 400))
}

test('startDiscovery() refuses entries of a file that are no members', async (t) => {
  const path = listFile(t, '- 10.0.0.1:9100\n- 7\n- chat:9100\n- { weight: 2 }\n- 10.0.0.1:9100\n- unix:/run/a\n')
  const followed = follow(t, configOf(path))
  await shows(followed, '10.0.0.1:9100')
  assert.deepEqual(followed.discovery.status().refused, { 'bad-address': 3, 'bad-value': 1, duplicate: 1 })
})

test('startDiscovery() names entries that it refuses', async (t) => {
  const path = listFile(t, '- 10.0.0.1:9100\n- 10.0.0.2:22\n- { address: "10.0.0.3:22", token: geheim }\n')
  const followed = follow(t, { ...configOf(path), allow: { networks: [], ports: [{ from: 9100, to: 9100 }] } })
  await shows(followed, '10.0.0.1:9100')
  const told = () => followed.events.filter(({ message }) => message === 'Discovery refuses entries')
  assert.deepEqual(told(), [
    {
      level: 'warn',
      message: 'Discovery refuses entries',
      fields: {
        upstream: 'chat',
        refused: { port: 2 },
        entries: [
          { entry: '10.0.0.2:22', reason: 'port' },
          { entry: '10.0.0.3:22', reason: 'port' },
        ],
      },
    },
  ])
})

test('startDiscovery() says what is wrong with an entry that it refuses', async (t) => {
  const path = listFile(t, '- 10.0.0.1:9100\n- { address: 10.0.0.2:9100, weight: heavy }\n')
  const followed = follow(t, configOf(path))
  await shows(followed, '10.0.0.1:9100')
  const told = followed.events.find(({ message }) => message === 'Discovery refuses entries')
  const detail = 'weight is "heavy"; write 1 to 256'
  assert.deepEqual(told?.fields.entries, [{ entry: '10.0.0.2:9100', reason: 'bad-value', detail }])
})

// A mistyped option had no effect, and nothing said so.
test('startDiscovery() warns of fields in a list that no member has, once', async (t) => {
  const path = listFile(t, '- { address: 10.0.0.1:9100, wieght: 2, ünknown: geheim }\n')
  const followed = follow(t, configOf(path, 50))
  await shows(followed, '10.0.0.1:9100')
  const entry = '10.0.0.1:9100'
  const fields = [
    { field: 'wieght', entry, nearest: 'weight' },
    { field: 'ünknown', entry },
  ]
  const told = () => followed.events.filter(({ message }) => message.includes('ignores fields'))
  assert.deepEqual(told(), [
    {
      level: 'warn',
      message: 'Discovery ignores fields that it does not know',
      fields: { upstream: 'chat', fields },
    },
  ])
  writeFileSync(path, '- { address: 10.0.0.2:9100, wieght: 3, ünknown: geheim }\n')
  await shows(followed, '10.0.0.2:9100')
  assert.equal(told().length, 1)
})

// The countdown went on to 0 s while the source was lost, though nothing is removed meanwhile.
test('startDiscovery() counts no update down while its source is empty or lost', async (t) => {
  const path = listFile(t, '- 10.0.0.1:9100\n- 10.0.0.2:9100\n- 10.0.0.3:9100\n')
  const followed = follow(t, configOf(path, 50))
  await shows(followed, '10.0.0.1:9100', '10.0.0.2:9100', '10.0.0.3:9100')
  writeFileSync(path, '- 10.0.0.1:9100\n')
  await waitUntil('two are held back', () => followed.discovery.status().heldBack?.members === 2)
  writeFileSync(path, '[]')
  await waitUntil('the source is empty', () => followed.discovery.status().state === 'empty')
  assert.equal(followed.discovery.status().heldBack, null)
  assert.equal(followed.discovery.status().reason, 'the list is empty')
  writeFileSync(path, '- 10.0.0.1:9100\n')
  await waitUntil('two are held back again', () => followed.discovery.status().heldBack?.members === 2)
})

test('startDiscovery() starts with the members of an earlier process until its source answers', async (t) => {
  const stateDirectory = join(temporaryDirectory(t), 'state')
  const path = listFile(t, '- { address: 10.0.0.1:9100, weight: 3 }\n- 10.0.0.2:9100\n')
  const first = follow(t, configOf(path), { stateDirectory })
  await shows(first, '10.0.0.1:9100', '10.0.0.2:9100')
  const before = first.discovery.members
  await first.discovery.close()
  const kept = join(stateDirectory, 'members-chat.json')
  assert.equal(statSync(kept).mode & 0o777, 0o600)
  const second = follow(t, configOf(`${path}.gone`), { stateDirectory })
  assert.deepEqual(second.discovery.members, before)
  assert.equal(second.discovery.status().restored, true)
  await waitUntil('the source is lost', () => second.discovery.status().state === 'lost')
  writeFileSync(`${path}.gone`, '- 10.0.0.9:9100\n')
  await shows(second, '10.0.0.9:9100')
  await second.discovery.close()
  assert.match(readFileSync(kept, 'utf8'), /10\.0\.0\.9:9100/)
})

test('startDiscovery() takes what it kept for hostile input', async (t) => {
  const stateDirectory = temporaryDirectory(t)
  const kept = join(stateDirectory, 'members-chat.json')
  const document = (members: unknown) => JSON.stringify({ version: 1, upstream: 'chat', members })
  const path = listFile(t, 'broken')
  const hostile = [
    { address: '10.0.0.1:9100' },
    '0.0.0.0:1',
    { address: '192.0.2.1:1' },
    7,
    null,
    { address: '10.0.0.2:1', weight: 'x' },
  ]
  writeFileSync(kept, document(hostile))
  const config = { ...configOf(path), allow: { networks: ['10.0.0.0/8'], ports: [] } }
  assert.deepEqual(follow(t, config, { stateDirectory }).addresses(), ['10.0.0.1:9100'])
  for (const text of ['', '{', 'null', '[]', document({}), document([]).replace('chat', 'other')]) {
    writeFileSync(kept, text)
    const followed = follow(t, config, { stateDirectory })
    assert.deepEqual(followed.addresses(), [], text)
    assert.equal(followed.events[0]?.message, 'Cannot read the last good members', text)
  }
})

test('startDiscovery() follows no symbolic link where it keeps its members, and warns once when it cannot write', async (t) => {
  const directory = temporaryDirectory(t)
  const target = join(directory, 'target')
  writeFileSync(target, '{"version":1,"upstream":"chat","members":["10.0.0.1:9100"]}')
  symlinkSync(target, join(directory, 'members-chat.json'))
  const path = listFile(t, '- 10.0.0.2:9100\n')
  const followed = follow(t, configOf(path), { stateDirectory: directory })
  assert.deepEqual(followed.addresses(), [])
  await shows(followed, '10.0.0.2:9100')
  await followed.discovery.close()
  assert.match(readFileSync(target, 'utf8'), /10\.0\.0\.1/)
  const blocked = join(directory, 'file')
  writeFileSync(blocked, '')
  const other = follow(t, configOf(path, 100), { stateDirectory: join(blocked, 'state') })
  const warnings = () => other.events.filter(({ message }) => message === 'Cannot write the last good members').length
  await waitUntil('it warns', () => warnings() === 1)
  writeFileSync(path, '- 10.0.0.3:9100\n')
  await shows(other, '10.0.0.3:9100')
  await other.discovery.close()
  assert.equal(warnings(), 1)
})
