import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { receiveDatagrams } from '../helpers/datagram-receiver.ts'
import { freePort } from '../helpers/free-port.ts'
import { GreetedClient } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { needs } from '../helpers/peers.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { waitUntil } from '../helpers/wait-until.ts'
import { WorkerFault } from '../helpers/worker-fault.ts'

/** What a test sees of the notifications: all text since the last call of `next`, once it matches. */
async function listen(t: TestContext) {
  const path = join(temporaryDirectory(t), 'notify.sock')
  const receiver = await receiveDatagrams(t, path)
  let read = 0
  const next = async (pattern: RegExp): Promise<string> => {
    await waitUntil(`systemd is told ${pattern}`, () => pattern.test(receiver.received().slice(read)))
    const text = receiver.received().slice(read)
    read += text.length
    return text
  }
  return { path, next, received: () => receiver.received() }
}

const countOf = (text: string, part: string) => text.split(part).length - 1

test('systemd is told of the start, of each reload, and of the stop', needs('socat'), async (t) => {
  const notify = await listen(t)
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const config = (backend: NamedBackend, upstream = 'web') => `reload: { watch: false }
shutdown: { drain: 20s }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: ${upstream} } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, { config: config(a), env: { NOTIFY_SOCKET: notify.path } })
  const started = await notify.next(/READY=1.*STATUS=Serving generation \d+/s)
  assert.doesNotMatch(started, /RELOADING/)

  const before = process.hrtime.bigint() / 1000n
  await lb.reload(config(b))
  const reloaded = await notify.next(/READY=1.*STATUS=/s)
  const usec = BigInt(/^RELOADING=1\nMONOTONIC_USEC=(\d+)READY=1/.exec(reloaded)![1]!)
  assert.ok(usec >= before && usec <= process.hrtime.bigint() / 1000n, 'the clock that systemd compares with')
  assert.match(reloaded, new RegExp(`STATUS=Serving generation ${(await lb.status()).generation}$`))

  await lb.reload(config(b, 'wbe'))
  const refused = await notify.next(/READY=1.*STATUS=/s)
  assert.match(
    refused,
    /^RELOADING=1\nMONOTONIC_USEC=\d+READY=1STATUS=Serving generation \d+; the last reload was refused$/,
  )

  const client = await GreetedClient.open(t, port)
  lb.child.kill('SIGTERM')
  const stopping = await notify.next(/EXTEND_TIMEOUT_USEC/)
  assert.match(stopping, /^STOPPING=1.*STATUS=Draining 1 connections.*EXTEND_TIMEOUT_USEC=[1-9]\d*/s)
  await notify.next(/EXTEND_TIMEOUT_USEC/)
  await client.end()
  assert.equal(await lb.exited, 0)
  assert.equal(countOf(notify.received(), 'STOPPING=1'), 1)
  assert.equal(countOf(notify.received(), 'READY=1'), 3)
})

test('a file that is refused at the start is never READY', needs('socat'), async (t) => {
  const notify = await listen(t)
  const lb = new LoadBalancerProcess(t, { config: 'listeners: {}\n', env: { NOTIFY_SOCKET: notify.path } })
  assert.equal(await lb.exited, 78)
  assert.doesNotMatch(notify.received(), /READY=1/)
})

test('the watchdog is fed, but not while a worker hangs', needs('socat'), async (t) => {
  const notify = await listen(t)
  const a = await NamedBackend.start(t, 'a')
  const port = await freePort()
  const fault = new WorkerFault(t, 'hangs')
  const watchdogMs = 1600
  await LoadBalancerProcess.start(t, {
    config: `workers: 2
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${a.address}" }] } }
`,
    nodeOptions: fault.nodeOptions,
    env: { NOTIFY_SOCKET: notify.path, WATCHDOG_USEC: String(watchdogMs * 1000) },
  })
  const fed = () => countOf(notify.received(), 'WATCHDOG=1')
  await waitUntil('it is fed again and again', () => fed() >= 2)
  const client = await GreetedClient.open(t, port)
  fault.arm()
  client.socket.write('hang\n')
  // The heartbeat may have advanced since the last look, so one more meal is right.
  const before = fed()
  await pause(2 * watchdogMs)
  assert.ok(fed() <= before + 1, 'systemd would have restarted it')
  fault.release()
  const hungry = fed()
  await waitUntil('it is fed again', () => fed() > hungry)
})
