import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { appendFile, mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { runDemo } from '#src/lab/demo.js'
import { spawnChild } from '../../helpers/child-process.ts'
import { atEnd } from '../../helpers/cleanup.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { waitUntil } from '../../helpers/wait-until.ts'
import { mainPath, runProgram } from '../cli/run-program.ts'

/** Starts `mcs-lb demo` with a temporary directory of its own, and waits until it serves. */
async function startDemo(t: TestContext) {
  const tmp = join(temporaryDirectory(t), 'tmp')
  await mkdir(tmp)
  const child = spawnChild(process.execPath, [mainPath, 'demo', '--port', '0'], {
    env: { ...process.env, TMPDIR: tmp },
  })
  atEnd(t, () => child.kill('SIGTERM'))
  let stdout = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.resume()
  while (!stdout.includes('Ctrl-C ends the demo')) await once(child.stdout, 'data')
  const port = Number(/nc 127\.0\.0\.1 (\d+)/.exec(stdout)?.[1])
  const file = /save (\S+lb\.yaml)/.exec(stdout)?.[1] ?? ''
  await untilServing(port)
  const ended = once(child, 'close') as Promise<[number | null]>
  return { child, tmp, port, file, ended, output: () => stdout }
}

async function untilServing(port: number): Promise<void> {
  while ((await exchange(port, '').catch(() => '')) === '') await new Promise(setImmediate)
}

/** Sends `text`, half-closes, and resolves with everything that came back. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk
    })
    socket.on('error', reject)
    socket.on('end', () => resolve(received))
    socket.end(text)
  })
}

test('mcs-lb demo serves three backends in turn, and SIGTERM ends it and removes all it wrote', async (t) => {
  const { child, tmp, port, ended } = await startDemo(t)
  const answers: string[] = []
  for (let index = 0; index < 3; index++) answers.push(await exchange(port, 'hi\nlast'))
  assert.deepEqual(
    answers.sort(),
    ['B1', 'B2', 'B3'].map((name) => `Hello from ${name}\n${name}: hi\n${name}: last\n`),
  )
  child.kill('SIGTERM')
  assert.deepEqual((await ended)[0], 0)
  assert.deepEqual(await readdir(tmp), [])
  await assert.rejects(exchange(port, ''), { code: 'ECONNREFUSED' })
})

test('mcs-lb demo keeps a file that was edited, and says so', async (t) => {
  const { child, file, ended, output } = await startDemo(t)
  await appendFile(file, '# mine\n')
  child.kill('SIGINT')
  assert.equal((await ended)[0], 0)
  assert.match(await readFile(file, 'utf8'), /# mine/)
  assert.ok(output().includes(`You changed ${file}, so it is kept.`))
})

test('mcs-lb demo writes a file that check accepts, in a directory for its user alone', async (t) => {
  const { file } = await startDemo(t)
  assert.equal((await runProgram(['check', '--config', file])).code, 0)
  assert.equal((await stat(join(file, '..'))).mode & 0o777, 0o700)
})

test('mcs-lb demo exits 1 and names --port where the port is taken', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(t, () => server.close())
  const { port } = server.address() as { port: number }
  const { code, stdout, stderr } = await runProgram(['demo', '--port', String(port)])
  assert.deepEqual([code, stdout], [1, ''])
  assert.equal(
    stderr,
    `MCS_BIND_FAILED: Cannot listen on 127.0.0.1:${port}: another program uses it; give another port with --port, or --port 0 for any\n`,
  )
})

test('runDemo() returns what the load balancer exited with, or 128 and the signal that killed it', async () => {
  const run = (script: string) => runDemo({ port: 0, program: [process.execPath, '-e', script, '--'], print() {} })
  assert.equal(await run('process.exit(7)'), 7)
  assert.equal(await run("process.kill(process.pid, 'SIGKILL')"), 137)
})

test('runDemo() takes two signals in a moment for one Ctrl-C', async (t) => {
  const mark = join(temporaryDirectory(t), 'mark')
  const script = `
    const { writeFileSync } = require('node:fs')
    let signals = 0
    process.on('SIGTERM', () => {
      writeFileSync('${mark}', 'signalled')
      if (++signals === 2) process.exit(2)
      process.kill(process.ppid, 'SIGTERM')
      setTimeout(() => process.exit(0), 300)
    })
    setInterval(() => {}, 1000)
    writeFileSync('${mark}', 'ready')`
  const ended = runDemo({ port: 0, program: [process.execPath, '-e', script, '--'], print() {} })
  await waitUntil('the child has started', () => existsSync(mark) && readFileSync(mark, 'utf8') === 'ready')
  process.kill(process.pid, 'SIGINT')
  assert.equal(await ended, 0)
})

test('runDemo() rejects and cleans up where the load balancer cannot be started', async (t) => {
  const tmp = temporaryDirectory(t)
  const before = process.env.TMPDIR
  process.env.TMPDIR = tmp
  atEnd(t, () => {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  })
  await assert.rejects(runDemo({ port: 0, program: [join(tmp, 'missing')], print() {} }), { code: 'ENOENT' })
  assert.deepEqual(await readdir(tmp), [])
})
