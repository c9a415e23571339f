import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, relative } from 'node:path'
import { type TestContext, test } from 'node:test'
import { atEnd } from '../helpers/cleanup.ts'
import { freePort } from '../helpers/free-port.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { waitUntil } from '../helpers/wait-until.ts'
import { runProgram } from '../unit/cli/run-program.ts'

const upstreams = 'upstreams: { web: { servers: [{ address: "127.0.0.1:9" }] } }\n'

async function takenPort(t: TestContext): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(t, () => server.close())
  return (server.address() as { port: number }).port
}

test('a start that fails because of the machine is logged as the file asks for', async (t) => {
  const port = await takenPort(t)
  for (const [format, line] of [
    ['text', /^\S+ error Cannot bind .*code=MCS_BIND_FAILED$/m],
    ['json', /^\{"time":"[^"]+","level":"error","message":"Cannot bind [^\n]*"code":"MCS_BIND_FAILED"\}$/m],
  ] as const) {
    const lb = new LoadBalancerProcess(t, {
      config: `log: { format: ${format} }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
${upstreams}`,
    })
    assert.equal(await lb.exited, 1)
    assert.match(lb.stderr, line)
  }
})

test('a start that fails because of the file is logged as JSON where stderr is no terminal', async (t) => {
  const lb = new LoadBalancerProcess(t, {
    config: `log: { format: text }
listeners: { edge: { bind: "127.0.0.1:${await freePort()}", upstream: wbe } }
${upstreams}`,
  })
  assert.equal(await lb.exited, 78)
  for (const line of lb.stderr.split('\n').filter(Boolean)) assert.doesNotThrow(() => JSON.parse(line), line)
  const [first] = lb.stderr.split('\n')
  assert.equal(JSON.parse(first ?? '').code, 'MCS_CONFIG_INVALID')
})

for (const format of ['json', 'text']) {
  test(`docs/logs.md shows what is logged as ${format} when a file is refused`, async (t) => {
    const port = await freePort()
    const config = (upstream: string) => `version: 1
log: { format: ${format} }
admin: { socket: @DIR@/admin.sock }
accessLog: { to: none }
listeners:
  edge:
    bind: "127.0.0.1:${port}"
    upstream: ${upstream}
upstreams: { chat: { servers: [{ address: "127.0.0.1:9" }] } }
`
    const lb = await LoadBalancerProcess.start(t, { config: config('chat'), raw: true })
    lb.writeConfig(config('chta'))
    await waitUntil('it is refused', () => lb.stderr.includes('Refused the configuration'))
    const seen = lb.stderr
      .replaceAll(lb.configFile, '/etc/mcs-lb/lb.yaml')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '2026-01-31T12:00:00.000Z')
      .split('\n')
      .filter((line) => line.includes('error'))
    const shown = readFileSync('docs/logs.md', 'utf8')
    assert.ok(
      shown.includes(`\n\`\`\`${format === 'json' ? 'json' : ''}\n${seen.join('\n')}\n\`\`\`\n`),
      seen.join('\n'),
    )
  })
}

test('README.md shows a configuration that is served from any directory', async (t) => {
  const config = /```yaml\n(.*?)```/s.exec(readFileSync('README.md', 'utf8'))?.[1] ?? ''
  const env = { MCS_PORT: String(await freePort()) }
  const lb = await LoadBalancerProcess.start(t, { config, raw: true, env })
  assert.equal((await lb.status()).configFile, lb.configFile)
})

test('too few descriptors for limits.connections are told with the remedy of whoever started the program', async (t) => {
  const remedies = {
    shell: /; run "ulimit -n 2000265" before the start$/m,
    systemd: /; raise LimitNOFILE to 2000265$/m,
  }
  for (const [starter, remedy] of Object.entries(remedies)) {
    const lb = await LoadBalancerProcess.start(t, {
      config: `workers: 1
limits: { connections: 1000000 }
listeners: { edge: { bind: "127.0.0.1:${await freePort()}", upstream: web } }
${upstreams}`,
      env: { INVOCATION_ID: starter === 'systemd' ? '4f1c' : undefined },
    })
    await waitUntil('it is told', () => remedy.test(lb.stderr))
  }
})

test('the log names the file by its absolute path', async (t) => {
  const file = join(temporaryDirectory(t), 'missing.yaml')
  const { code, stderr } = await runProgram(['run', '--config', relative(process.cwd(), file)])
  assert.equal(code, 78)
  assert.match(
    JSON.parse(stderr.split('\n')[0] ?? '').message,
    new RegExp(`the configuration file "${file}": there is no`),
  )
})
