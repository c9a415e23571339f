import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { McsError } from '#src/model/errors.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { sampleStatus } from '../admin/fake-service.ts'
import { startTestAdmin } from '../admin/harness.ts'
import { runProgram } from './run-program.ts'

const since = '2025-01-02T00:00:00.000Z'

test('mcs-lb reload waits for the answer and exits 0', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  const served = await runProgram(['reload', '--socket', socket])
  assert.deepEqual(served, { code: 0, stdout: 'Serving generation 4 (prepared in 1 ms).\n', stderr: '' })
  service.onReload = async () => ({ outcome: 'unchanged', generation: 4, since, warnings: [] })
  const unchanged = await runProgram(['reload', '--socket', socket, '--json'])
  assert.deepEqual(JSON.parse(unchanged.stdout), { outcome: 'unchanged', generation: 4, since, warnings: [] })
  assert.equal(service.reloads, 2)
})

test('mcs-lb reload prints warnings, also where the file says nothing new', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  const warnings = ['Upstream "chat" has no backend', 'It says \u001b[2J']
  const printed = 'warning: Upstream "chat" has no backend\nwarning: It says ·[2J\n'
  service.onReload = async () => ({ outcome: 'serving', generation: 4, durationMs: 1, warnings })
  const served = await runProgram(['reload', '--socket', socket])
  assert.equal(served.stdout, `Serving generation 4 (prepared in 1 ms).\n${printed}`)
  service.onReload = async () => ({ outcome: 'unchanged', generation: 4, since, warnings })
  const unchanged = await runProgram(['reload', '--socket', socket])
  assert.equal(
    unchanged.stdout,
    `Already serving generation 4, since 2025-01-02T00:00:00.000Z: the file says nothing new.\n${printed}`,
  )
  assert.equal(unchanged.code, 0)
})

test('mcs-lb reload prints the faults of a refused file as check does, and exits 78', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  const file = join(dirname(socket), 'lb.yaml')
  await writeFile(file, 'version: 1\nlistners: {}\n')
  service.onReload = async () => ({
    outcome: 'refused',
    generation: 3,
    errors: [
      {
        code: 'MCS_CONFIG_INVALID',
        message: 'unknown key "listners"',
        hint: 'did you mean listeners?',
        file,
        line: 2,
        column: 1,
        path: '',
      },
    ],
  })
  const { code, stdout } = await runProgram(['reload', '--socket', socket])
  assert.equal(code, 78)
  assert.match(stdout, /lb\.yaml:2:1: .*unknown key "listners"/)
  assert.match(stdout, /did you mean listeners\?/)
  assert.match(stdout, /nothing has changed in generation 3/)
})

test('mcs-lb reload exits 1 where this machine refused, not the file', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  const errors = [{ code: 'MCS_BIND_FAILED', message: 'Cannot bind 0.0.0.0:443', hint: 'grant CAP_NET_BIND_SERVICE' }]
  service.onReload = async () => ({ outcome: 'refused', generation: 3, errors })
  const { code, stdout } = await runProgram(['reload', '--socket', socket])
  assert.equal(code, 1)
  assert.match(stdout, /MCS_BIND_FAILED: Cannot bind 0\.0\.0\.0:443\n {2}grant CAP_NET_BIND_SERVICE/)
})

test('mcs-lb reload --json leaves out a hint that says nothing', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  const fault = { code: 'MCS_SYSTEM', message: 'Cannot reload' }
  const errors = [
    { ...fault, hint: '' },
    { ...fault, hint: 'do this' },
  ]
  service.onReload = async () => ({ outcome: 'refused', generation: 3, errors })
  const { stdout } = await runProgram(['reload', '--socket', socket, '--json'])
  assert.deepEqual(JSON.parse(stdout).errors, [fault, { ...fault, hint: 'do this' }])
})

test('mcs-lb reload, reopen and status exit 1 with a remedy where nobody answers', async (t) => {
  const socket = join(temporaryDirectory(t), 'admin.sock')
  for (const command of ['reload', 'reopen', 'status']) {
    const { code, stdout, stderr } = await runProgram([command, '--socket', socket])
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(
      stderr,
      /^MCS_ADMIN_UNREACHABLE: Cannot ask mcs-lb on ".*": there is no such socket; is mcs-lb running/,
    )
  }
})

test('mcs-lb reload finds the socket of a file that has errors', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  const file = join(dirname(socket), 'lb.yaml')
  await writeFile(file, 'version: 1\nadmin: { socket: ./admin.sock }\nlisteners: { edge: { bind: "nowhere"\n')
  assert.equal((await runProgram(['reload', '--config', file])).code, 0)
  assert.equal(service.reloads, 1)
})

test('mcs-lb reload, reopen and status say that the file is the trouble where they had to try the default socket', async (t) => {
  const directory = temporaryDirectory(t)
  const missing = join(directory, 'missing.yaml')
  const broken = join(directory, 'broken.yaml')
  const variable = join(directory, 'variable.yaml')
  await writeFile(broken, '{ "admin"\n')
  await writeFile(variable, `admin: { socket: "\${NOWHERE}/a.sock" }\n`)
  const remedy = 'Give --config with the file of the running process, or --socket'
  const tried = 'The default was tried: Cannot ask mcs-lb on "/run/mcs-lb/admin.sock": there is no such socket'
  for (const [command, file, trouble] of [
    ['reload', missing, `Cannot read the configuration file "${missing}": there is no such file`],
    ['reopen', broken, `Cannot read admin.socket in "${broken}": it is not YAML`],
    ['status', variable, `admin.socket in "${variable}" has a variable`],
  ] as const) {
    const { code, stderr } = await runProgram([command, '--config', file])
    assert.equal(code, 1)
    assert.ok(stderr.startsWith(`MCS_ADMIN_UNREACHABLE: ${trouble}. ${remedy}. ${tried}`), stderr)
  }
})

test('mcs-lb status says that a file without an admin socket leaves nobody to ask', async (t) => {
  const file = join(temporaryDirectory(t), 'lb.yaml')
  await writeFile(file, 'admin: { socket: none }\n')
  const { code, stderr } = await runProgram(['status', '--config', file])
  assert.equal(code, 1)
  assert.match(stderr, /admin\.socket: none; set a path there/)
})

test('mcs-lb reopen exits 0, and 1 with what the process says', async (t) => {
  const { socket, service } = await startTestAdmin(t)
  assert.equal((await runProgram(['reopen', '--socket', socket])).code, 0)
  service.onReopen = async () => {
    throw new McsError('MCS_LOG_UNWRITABLE', 'Cannot open "/var/log/x"', { source: 'system' })
  }
  const { code, stderr } = await runProgram(['reopen', '--socket', socket])
  assert.equal(code, 1)
  assert.match(stderr, /^MCS_LOG_UNWRITABLE: Cannot open "\/var\/log\/x"/)
  assert.equal(service.reopens, 2)
})

test('mcs-lb status prints tables, and JSON as the process gave it', async (t) => {
  const { socket } = await startTestAdmin(t)
  const text = await runProgram(['status', '--socket', socket])
  assert.equal(text.code, 0)
  assert.match(text.stdout, /^mcs-lb 0\.1\.0, pid 4711, serving since/)
  const json = await runProgram(['status', '--json', '--socket', socket])
  assert.deepEqual(JSON.parse(json.stdout), sampleStatus)
})

test('mcs-lb reload and status exit 1 for an answer that they do not understand', async (t) => {
  const answers: { status: number; body: unknown }[] = [
    ...[
      null,
      {},
      [],
      'x',
      { outcome: 'serving' },
      { outcome: 'unchanged', generation: 4 },
      { outcome: 'x', generation: 1 },
    ].map((body) => ({
      status: 200,
      body,
    })),
    ...[{}, { outcome: 'serving', generation: 4, durationMs: 1, warnings: [] }].map((body) => ({ status: 422, body })),
    { status: 422, body: { outcome: 'refused', generation: 4, errors: [{}] } },
    { status: 500, body: { error: { message: {} } } },
  ]
  const directory = temporaryDirectory(t)
  const socket = join(directory, 'foreign.sock')
  let next = answers[0]!
  const server = createServer((_, response) => response.writeHead(next.status).end(JSON.stringify(next.body)))
  server.listen(socket)
  await once(server, 'listening')
  atEnd(t, () => server.close())
  const said = (action: string) =>
    `MCS_ADMIN_UNREACHABLE: Cannot ${action} mcs-lb on "${socket}": it answered ${next.status}: nothing that this version understands; use the version that runs\n`
  for (next of answers) {
    for (const options of [[], ['--json']]) {
      const reloaded = await runProgram(['reload', '--socket', socket, ...options])
      assert.deepEqual(reloaded, { code: 1, stdout: '', stderr: said('reload') })
      const asked = await runProgram(['status', '--socket', socket, ...options])
      assert.deepEqual(asked, { code: 1, stdout: '', stderr: said('get the status of') })
    }
  }
  const { backends: _, ...upstream } = sampleStatus.upstreams[0]!
  const whole = sampleStatus.upstreams[0]!
  const discovery = { source: 's', reason: '', refused: {}, heldBack: null, lastGoodReadMs: null }
  const strange = [null, {}, ...Object.keys(discovery).map((key) => ({ ...discovery, [key]: 9e15 }))]
  const wrong = [upstream, { ...whole, panics: null }, ...strange.map((one) => ({ ...whole, discovery: one }))]
  for (const row of wrong) {
    next = { status: 200, body: { ...sampleStatus, upstreams: [row] } }
    assert.equal((await runProgram(['status', '--socket', socket])).stderr, said('get the status of'))
  }
})
