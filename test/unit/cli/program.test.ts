import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { startDemoBackend } from '#src/lab/backends.js'
import { spawnChild } from '../../helpers/child-process.ts'
import { atEnd } from '../../helpers/cleanup.ts'
import { waitUntil } from '../../helpers/wait-until.ts'
import { mainPath, runProgram } from './run-program.ts'

test('mcs-lb --version prints the version of package.json', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  assert.deepEqual(await runProgram(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
})

test('mcs-lb says by code that its output cannot be written, and exits 1', async (t) => {
  const full = openSync('/dev/full', 'w')
  atEnd(t, () => closeSync(full))
  const args = [mainPath, 'check', '--config', 'config/lb.yaml']
  const child = spawnChild(process.execPath, args, { stdio: ['ignore', full, 'pipe'] })
  let said = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  assert.deepEqual(await once(child, 'close'), [1, null])
  assert.match(said, /^MCS_SYSTEM: Cannot write the output: ENOSPC/)
})

test('mcs-lb --help lists every command and examples, and exits 0', async () => {
  const { code, stdout } = await runProgram(['--help'])
  assert.equal(code, 0)
  for (const command of ['run', 'check', 'reload', 'reopen', 'status', 'demo', 'client']) {
    assert.match(stdout, new RegExp(`^  ${command} `, 'm'))
  }
  assert.match(stdout, /Examples:\n/)
})

test('mcs-lb prints the help of a command in both ways', async () => {
  const [before, behind] = [await runProgram(['help', 'check']), await runProgram(['check', '--help'])]
  assert.deepEqual([before.code, behind.code], [0, 0])
  assert.match(behind.stdout, /^Usage: mcs-lb check /)
  assert.equal(before.stdout, behind.stdout)
})

test('mcs-lb without a command prints its help to stderr and exits 2', async () => {
  const { code, stdout, stderr } = await runProgram([])
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /^Usage: mcs-lb/)
})

test('mcs-lb exits 2 with a suggestion for an unknown command or option', async () => {
  const command = await runProgram(['relaod'])
  assert.equal(command.code, 2)
  assert.match(command.stderr, /unknown command 'relaod'\n\(Did you mean reload\?\)/)
  for (const words of [
    ['relaod', '--help'],
    ['relaod', '--json', '-h'],
    ['help', 'relaod'],
  ]) {
    const help = await runProgram(words)
    assert.deepEqual([help.code, help.stdout, help.stderr], [2, '', command.stderr])
  }
  const option = await runProgram(['check', '--confg', 'x'])
  assert.equal(option.code, 2)
  assert.match(option.stderr, /unknown option '--confg'\n\(Did you mean --config\?\)/)
})

test('mcs-lb exits 2 for an argument too many and for a port that is none', async () => {
  for (const command of ['run', 'check', 'reload', 'reopen', 'status']) {
    const { code, stderr } = await runProgram([command, 'lb.yaml'])
    assert.equal(code, 2)
    assert.ok(stderr.startsWith(`error: '${command}' takes no argument; did you mean --config lb.yaml?\n`), stderr)
  }
  assert.equal((await runProgram(['client', '127.0.0.1:1', 'lb.yaml'])).code, 2)
  for (const port of ['x', '65536', '-1', '1e3']) {
    const { code, stderr } = await runProgram(['demo', `--port=${port}`])
    assert.equal(code, 2)
    assert.match(stderr, /is not a port; give a number from 0 to 65535/)
  }
})

test('mcs-lb exits 2 for an empty path of the configuration file, and says where it comes from', async () => {
  const option = await runProgram(['check', '--config', ''])
  assert.equal(option.code, 2)
  assert.match(
    option.stderr,
    /^error: option '-c, --config <file>' argument '' is invalid\. It is empty; name a file\./,
  )
  const variable = await runProgram(['check'], { env: { MCS_LB_CONFIG: '' } })
  assert.equal(variable.code, 2)
  assert.match(variable.stderr, /value '' from env 'MCS_LB_CONFIG' is invalid\. It is empty; name a file\./)
})

test('mcs-lb survives SIGUSR1 without opening an inspector', async (t) => {
  const backend = await startDemoBackend('B1')
  atEnd(t, () => backend.stop())
  const child = spawnChild(process.execPath, [mainPath, 'client', `127.0.0.1:${backend.port}`])
  atEnd(t, () => child.kill('SIGKILL'))
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  await waitUntil('the client is connected', () => stdout === 'Hello from B1\n', 30_000)
  child.kill('SIGUSR1')
  // Each answer is a turn of the process's loop, in which an inspector would have said that it listens.
  for (let turn = 0; turn < 20; turn++) {
    child.stdin.write(`${turn}\n`)
    await waitUntil('the line is answered', () => stdout.endsWith(`B1: ${turn}\n`))
  }
  assert.equal(stderr, '')
})

test('mcs-lb ends quietly when its reader closes the pipe', async () => {
  const child = spawnChild(process.execPath, [mainPath, '--help'])
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const [code] = await once(child, 'close')
  assert.deepEqual([code, stderr], [0, ''])
})
