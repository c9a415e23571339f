import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { causes } from '#src/model/cause.js'
import { createAccessFormatter } from '#src/observe/access-log.js'
import { formatRecord, makeAccessRecord } from '../../helpers/access-record-maker.js'

// Tests are run from the root of the repository.
const text = readFileSync('docs/logs.md', 'utf8')

test('docs/logs.md describes every cause as src/model/cause.ts does', () => {
  for (const { name, by, phase, tcplog, description } of causes) {
    const row = `| \`${name}\` | ${by} | ${phase} | \`${tcplog}\` | ${description} |`
    assert.ok(text.includes(`${row}\n`), `docs/logs.md lacks the row: ${row}`)
  }
})

test('docs/logs.md describes every key of the JSON access log, in the order of the line', () => {
  const names = { listener: () => 'edge', upstream: () => 'chat', backend: () => '10.0.0.1:9100' }
  const line = formatRecord(createAccessFormatter('json', names), makeAccessRecord())
  const start = text.indexOf('### `format: json`')
  const table = text.slice(start, text.indexOf('\n### ', start + 1))
  const described = [...table.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1])
  assert.deepEqual(described, Object.keys(JSON.parse(line)))
})

test('docs/logs.md shows access lines as the formatters write them', () => {
  const example = /^\{"time".*"worker":0\}$/m.exec(text)?.[0] ?? ''
  const names = {
    listener: () => 'edge',
    upstream: () => 'chat',
    backend: (row: number) => `10.0.0.${row + 1}:9100`,
  }
  const record = makeAccessRecord({
    acceptedAt: Date.UTC(2026, 0, 31, 12),
    connectMs: 0.812,
    totalMs: 60_231.5,
    bytesUp: 1290,
    bytesDown: 48_211,
    backend: 1,
    worker: 0,
    attemptCount: 2,
    attempts: [
      { backend: 0, errno: 111 },
      { backend: 1, errno: 0 },
    ],
    clientPort: 51034,
    clientAddress: Uint8Array.of(192, 0, 2, 7),
  })
  assert.equal(`${example}\n`, formatRecord(createAccessFormatter('json', names), record))
  const local = { ...record, acceptedAt: new Date(2026, 0, 31, 12).getTime() }
  assert.ok(text.includes(`\n${formatRecord(createAccessFormatter('tcplog', names), local)}`))
})
