import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { runProgram } from '../unit/cli/run-program.ts'

test('a file with a slip is served, and the log and `mcs-lb reload` warn of it with its place', async (t) => {
  const port = await freePort()
  const config = (state: string, idle: string) => `reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web, timeouts: { idle: ${idle} } } }
upstreams: { web: { servers: [{ address: "127.0.0.1:9", state: ${state} }] } }
`
  const lb = await LoadBalancerProcess.start(t, config('drain', '1m'))
  const told = () => lb.stderr.split('\n').filter((line) => /warn +.*no server of this upstream/.test(line))
  await lb.logged(
    /warn +\S+lb\.yaml:\d+:\d+: upstreams\.web\.servers: no server of this upstream takes new clients: .*; take state out at one/,
  )
  const reload = () => runProgram(['reload', '--socket', lb.adminSocket])

  const unchanged = await reload()
  assert.equal(unchanged.code, 0)
  assert.match(
    unchanged.stdout,
    /^Already serving .*\nwarning: \S+lb\.yaml:\d+:\d+: upstreams\.web\.servers: no server .*; take state out at one, .*\n$/,
  )
  assert.equal(told().length, 1)

  lb.writeConfig(config('drain', '2m'))
  assert.match(
    (await reload()).stdout,
    /^Serving generation 2 .*\nwarning: \S+: upstreams\.web\.servers: no server .*\n$/,
  )
  await lb.logged(/Serving generation=2/)
  assert.equal(told().length, 2)

  assert.deepEqual(await lb.reload(config('ready', '2m')).then((result) => 'warnings' in result && result.warnings), [])
})
