import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { runProgram } from './run-program.ts'

const good = `version: 1
listeners:
  edge: { bind: "127.0.0.1:6000", upstream: chat }
upstreams:
  chat: { servers: [{ address: "10.0.0.1:9100" }, { address: "10.0.0.2:9100" }] }
`
const bad = good
  .replace('upstream: chat', 'upstream: chta')
  .replace('address: "10.0.0.2:9100"', 'adress: "10.0.0.2:9100"')

async function file(t: TestContext, text: string): Promise<string> {
  const path = join(temporaryDirectory(t), 'lb.yaml')
  await writeFile(path, text)
  return path
}

test('mcs-lb check says what a good file would serve', async (t) => {
  const path = await file(t, good)
  const { code, stdout, stderr } = await runProgram(['check', '--config', path])
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(
    stdout,
    /lb\.yaml is valid: 1 listener, 1 upstream, 2 servers, \d+ workers?\n {2}edge: 127\.0\.0\.1:6000 → chat\n/,
  )
})

test('mcs-lb check prints every fault with its place, without colours in a pipe, and exits 78', async (t) => {
  const path = await file(t, bad)
  const { code, stdout } = await runProgram(['check', '--config', path])
  assert.equal(code, 78)
  assert.ok(stdout.includes(`${path}:3:`), stdout)
  assert.ok(stdout.includes(`${path}:5:`), stdout)
  assert.ok(!stdout.includes('\x1b'), stdout)
})

test('mcs-lb check --json prints whether the file is valid, and the issues', async (t) => {
  const valid = await runProgram(['check', '--json', '--config', await file(t, good)])
  assert.deepEqual([valid.code, JSON.parse(valid.stdout)], [0, { valid: true, issues: [], warnings: [] }])
  const path = await file(t, bad)
  const invalid = await runProgram(['check', '--json', '--config', path])
  const result = JSON.parse(invalid.stdout) as {
    valid: boolean
    issues: { code: string; file: string; line: number }[]
  }
  assert.deepEqual([invalid.code, result.valid], [78, false])
  assert.ok(result.issues.length >= 2)
  assert.ok(result.issues.every((issue) => issue.file === path && issue.line >= 1))
  assert.ok(result.issues.every((issue) => issue.code === 'MCS_CONFIG_INVALID'))
})

test('mcs-lb check --json places faults of upstreams, and no output has a password', async (t) => {
  const path = await file(
    t,
    `${good}    health: { type: http, tls: {}, steps: [{ send: x }] }
    discovery: { type: redis-keys, redis: { url: "redis://:hunter2@host/chat", cluster: [a:1], sentinel: {} } }
`.replace('chat: { servers: [{ address: "10.0.0.1:9100" }, { address: "10.0.0.2:9100" }] }', 'chat:\n    servers: []'),
  )
  const { code, stdout } = await runProgram(['check', '--json', '--config', path])
  const { issues } = JSON.parse(stdout) as { issues: { line: number; column: number; path: string; hint: string }[] }
  assert.equal(code, 78)
  assert.deepEqual(
    issues.map((issue) => `${issue.line}:${issue.column} ${issue.path}`),
    [
      '7:36 upstreams.chat.health.steps',
      '8:50 upstreams.chat.discovery.redis.url',
      '8:80 upstreams.chat.discovery.redis.cluster',
      '8:96 upstreams.chat.discovery.redis.sentinel',
      '8:96 upstreams.chat.discovery.redis.sentinel',
    ],
  )
  assert.ok(issues.every((issue) => issue.hint !== ''))
  const text = await runProgram(['check', '--config', path])
  assert.match(
    text.stdout,
    / 8 \| {5}discovery: \{ type: redis-keys, redis: \{ url: …, cluster: \[a:1\], sentinel: \{\} \} \}\n/,
  )
  assert.ok(!`${stdout}${text.stdout}${text.stderr}`.includes('hunter2'))
})

test('mcs-lb check exits 78 for a file that cannot be read, with the code and without a place', async (t) => {
  const path = join(temporaryDirectory(t), 'missing.yaml')
  const message = `Cannot read the configuration file "${path}": there is no such file`
  const text = await runProgram(['check', '--config', path])
  assert.deepEqual([text.code, text.stdout], [78, ''])
  assert.ok(text.stderr.startsWith(`MCS_CONFIG_UNREADABLE: ${message}`), text.stderr)
  const json = await runProgram(['check', '--json', '--config', path])
  assert.deepEqual([json.code, json.stderr], [78, ''])
  const { valid, issues } = JSON.parse(json.stdout) as { valid: boolean; issues: { message: string }[] }
  const [{ message: said, ...issue } = assert.fail()] = issues
  assert.deepEqual([valid, issues.length, issue], [false, 1, { code: 'MCS_CONFIG_UNREADABLE', file: path }])
  assert.ok(said.startsWith(message), said)
})

test('mcs-lb check tells warnings of a good file, and exits 78 for them with --strict only', async (t) => {
  const path = await file(t, `${good}  spare: { servers: [{ address: "10.0.0.3:9100" }], panicThreshold: 50% }\n`)
  const { code, stdout } = await runProgram(['check', '--config', path])
  assert.equal(code, 0)
  assert.match(stdout, /lb\.yaml is valid: 1 listener, 2 upstreams, 3 servers, .*\n {2}edge: .*\n2 warnings:\n/)
  assert.ok(stdout.includes(`${path}:6:3: warning: upstreams.spare: no listener names this upstream`), stdout)
  assert.match(stdout, /\n {4}6 \| {3}spare: .*\n {6}\| {3}\^\n {2}hint: name it at a listener, or remove it\n/)
  const strict = await runProgram(['check', '--strict', '--config', path])
  assert.deepEqual([strict.code, strict.stdout], [78, stdout])
  assert.equal((await runProgram(['check', '--strict', '--config', await file(t, good)])).code, 0)
})

test('mcs-lb check --json lists warnings beside the issues', async (t) => {
  const path = await file(t, `${good}  spare: { servers: [{ address: "10.0.0.3:9100" }] }\n`)
  const { code, stdout } = await runProgram(['check', '--json', '--config', path])
  const issue = {
    file: path,
    line: 6,
    column: 3,
    path: 'upstreams.spare',
    message: 'no listener names this upstream: no client comes to it',
    hint: 'name it at a listener, or remove it',
  }
  assert.deepEqual([code, JSON.parse(stdout)], [0, { valid: true, issues: [], warnings: [issue] }])
  assert.equal((await runProgram(['check', '--json', '--strict', '--config', path])).code, 78)
})

test('mcs-lb check takes the file of MCS_LB_CONFIG, and --config before it', async (t) => {
  const env = { MCS_LB_CONFIG: await file(t, good) }
  assert.equal((await runProgram(['check'], { env })).code, 0)
  assert.equal((await runProgram(['check', '--config', await file(t, bad)], { env })).code, 78)
})

test('mcs-lb run exits 78 with every fault of a bad file', async (t) => {
  const path = await file(t, bad)
  const { code, stdout, stderr } = await runProgram(['run', '--config', path])
  assert.equal(code, 78)
  assert.ok(`${stdout}${stderr}`.includes(`${path}:3:`), stderr)
})
