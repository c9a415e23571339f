import assert from 'node:assert/strict'
import { readFileSync, renameSync } from 'node:fs'
import { test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { endClients, openClients, tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { waitUntil } from '../helpers/wait-until.ts'
import { runProgram } from '../unit/cli/run-program.ts'

const linesOf = (file: string) => readFileSync(file, 'utf8').split('\n').filter(Boolean)

test('after a rotation lines go to the new file, by SIGUSR2 and by `mcs-lb reopen`, and none is lost', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const port = await freePort()
  const lb = await LoadBalancerProcess.start(
    t,
    `workers: 2
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`,
  )
  const reopens = {
    SIGUSR2: async () => {
      lb.child.kill('SIGUSR2')
      await waitUntil('it is open again', () => lb.stderr.includes('Reopened the access log'))
    },
    'mcs-lb reopen': async () => {
      const { code, stdout } = await runProgram(['reopen', '--config', lb.configFile])
      assert.deepEqual([code, stdout], [0, 'The log files are open again.\n'])
    },
  }
  let count = 0
  const connect = async () => {
    await endClients(await openClients(t, port, 10))
    count += 10
  }
  const rotated: string[] = []
  for (const reopen of Object.values(reopens)) {
    let isOver = false
    // Clients come and go all the while.
    const load = (async () => {
      while (!isOver) await connect()
    })()
    const file = `${lb.accessLogFile}.${rotated.length}`
    await waitUntil('there are lines', () => linesOf(lb.accessLogFile).length > 0)
    renameSync(lb.accessLogFile, file)
    rotated.push(file)
    await reopen()
    isOver = true
    await load
    const inRotated = linesOf(file).length
    await connect()
    await waitUntil('the new file has lines', () => linesOf(lb.accessLogFile).length >= 10)
    assert.equal(linesOf(file).length, inRotated, 'the old one has no more')
  }
  const all = () => [...rotated, lb.accessLogFile].flatMap(linesOf)
  await waitUntil('every connection has its line', () => all().length >= count)
  assert.equal(all().length, count)
  assert.ok(all().every((line) => JSON.parse(line).cause === 'client-closed'))
  assert.deepEqual((await lb.status()).accessLog, { written: count, dropped: 0 })
})

test('the tcplog format ends a clean connection with -- and one whose backends refuse with SC', async (t) => {
  const a = await NamedBackend.start(t, 'a')
  const [clean, refused, rescued] = [await freePort(), await freePort(), await freePort()]
  const nobody = `127.0.0.1:${await freePort()}`
  const lb = await LoadBalancerProcess.start(
    t,
    `accessLog: { to: @DIR@/access.log, format: tcplog }
listeners:
  clean: { bind: "127.0.0.1:${clean}", upstream: clean }
  refused: { bind: "127.0.0.1:${refused}", upstream: refused }
  rescued: { bind: "127.0.0.1:${rescued}", upstream: rescued }
upstreams:
  clean: { servers: [{ address: "${a.address}" }] }
  refused: { servers: [{ address: "${nobody}" }] }
  rescued: { servers: [{ address: "${nobody}" }, { address: "${a.address}" }] }
`,
  )
  assert.equal(await tryGreeting(t, clean), 'a')
  assert.equal(await tryGreeting(t, refused), 'ECONNRESET')
  assert.equal(await tryGreeting(t, rescued), 'a')
  await waitUntil('there are three lines', () => linesOf(lb.accessLogFile).length === 3)
  const lines = linesOf(lb.accessLogFile)
  const head = '127\\.0\\.0\\.1:\\d+ \\[\\d\\d/\\w{3}/\\d{4}:\\d\\d:\\d\\d:\\d\\d\\.\\d{3}\\]'
  assert.match(lines[0]!, new RegExp(`^${head} clean clean/${a.address} 0/\\d+/\\d+ 2 -- 0/0/0/0/0 0/0$`))
  assert.match(lines[1]!, new RegExp(`^${head} refused refused/${nobody} 0/-1/\\d+ 0 SC 0/0/0/0/0 0/0$`))
  assert.match(lines[2]!, new RegExp(`^${head} rescued rescued/${a.address} 0/\\d+/\\d+ 2 -- 0/0/0/0/\\+1 0/0$`))
})
