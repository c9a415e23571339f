import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMemberList } from '#src/discovery/member-list.js'

const megabyte = 1024 * 1024

test('parseMemberList() reads a YAML list of any length, whatever its form', async () => {
  const addresses = Array.from({ length: 3000 }, (_, index) => `10.0.${index >> 8}.${index & 255}:9100`)
  const forms: Readonly<Record<string, (address: string) => string>> = {
    plain: (address) => `- ${address}\n`,
    quoted: (address) => `- "${address}"   # a comment\n`,
    indented: (address) => `  - ${address}\n\n`,
    crlf: (address) => `-   ${address}\r\n`,
    below: (address) => `-\n  ${address}\n# - a comment\n`,
  }
  for (const [name, form] of Object.entries(forms)) {
    for (const head of ['', '\uFEFF', '# a comment\n\n---\n']) {
      assert.deepEqual(await parseMemberList(head + addresses.map(form).join('')), addresses, name)
    }
  }
  const maps = addresses.map((address) => `- address: ${address}\n  weight: 2\n`).join('')
  assert.deepEqual(
    await parseMemberList(maps),
    addresses.map((address) => ({ address, weight: 2 })),
  )
})

test('parseMemberList() reads JSON, and a short list in the flow form of YAML', async () => {
  const numbers = Array.from({ length: 100_000 }, (_, index) => index)
  assert.deepEqual(await parseMemberList(JSON.stringify(numbers)), numbers)
  assert.deepEqual(await parseMemberList('[10.0.0.1:9100, { address: 10.0.0.2:9100 }]'), [
    '10.0.0.1:9100',
    { address: '10.0.0.2:9100' },
  ])
})

test('parseMemberList() refuses what is no list, what is broken, and names that stand twice in an entry', async () => {
  for (const text of [
    '',
    'members: 7',
    '{"members": []}',
    '- a\n---\n- b',
    '- a\nb: c',
    '- {a: 1, a: 2}',
    '- &a x\n- *a',
  ])
    await assert.rejects(parseMemberList(text), Error, JSON.stringify(text))
})

// The YAML reader takes a time that grows with the square of what is broken or nested: 49 s for one map of 70,000 names,
// 15 s for brackets alone. All that time the load balancer answered nobody: no status, no reload, no health check.
test('parseMemberList() holds nothing up for long, whatever a file of 1 MiB is made of', async () => {
  const repeated = (text: string) => text.repeat(megabyte / text.length)
  const names = Array.from({ length: 70_000 }, (_, index) => `a${index}: 1`).join(',')
  const texts = [
    '[',
    '{',
    '? ',
    '- ',
    '[]',
    '"',
    '!a ',
    '&a ',
    '*a ',
    'a: ',
    '- a\n',
    '- [[[[[[[[\n',
    '%A\n',
    '#\n',
    '\n',
  ]
  for (const text of [...texts.map(repeated), `- x\n- {${names}}`, `- x\n- {${names}`, `- "${repeated('\\x1b')}"`]) {
    const longestMs = await longestTurn(() => parseMemberList(text).catch(() => {}))
    assert.ok(longestMs < 1000, `${JSON.stringify(text.slice(0, 20))} takes ${longestMs} ms`)
  }
})

/** The most CPU time between two turns of the loop while `work` was under way. */
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  let isDone = false
  let longestMs = 0
  let began = process.cpuUsage()
  const turn = () => {
    const { user, system } = process.cpuUsage(began)
    longestMs = Math.max(longestMs, (user + system) / 1000)
    began = process.cpuUsage()
    if (!isDone) setImmediate(turn)
  }
  setImmediate(turn)
  await work()
  isDone = true
  turn()
  return longestMs
}
