import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Notifier } from '#src/systemd/notify.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { receiveDatagrams } from '../../helpers/datagram-receiver.js'
import { needs } from '../../helpers/peers.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.js'
import { waitUntil } from '../../helpers/wait-until.js'

const silent = { debug: () => {} }

test(
  'Notifier says READY, RELOADING, STOPPING, STATUS and WATCHDOG as sd_notify(3) writes them',
  needs('socat'),
  async (t) => {
    const path = join(temporaryDirectory(t), 'notify')
    const receiver = await receiveDatagrams(t, path)
    const notifier = Notifier.fromEnvironment(silent, { NOTIFY_SOCKET: path })
    atEnd(t, () => notifier.close())
    const expect = async (message: string): Promise<void> => {
      await waitUntil(`${message} arrives`, () => receiver.received().endsWith(message))
    }
    notifier.ready()
    await expect('READY=1')
    notifier.stopping()
    await expect('STOPPING=1')
    notifier.status('generation 3\nREADY=0 – 12 connections')
    await expect('STATUS=generation 3 READY=0 – 12 connections')
    notifier.extendTimeout(1500.2)
    await expect('EXTEND_TIMEOUT_USEC=1501')
    notifier.watchdog()
    await expect('WATCHDOG=1')
    const before = process.hrtime.bigint() / 1000n
    notifier.reloading()
    await waitUntil('RELOADING arrives', () => /RELOADING=1\nMONOTONIC_USEC=\d+$/.test(receiver.received()))
    const usec = BigInt(/\d+$/.exec(receiver.received())?.[0] ?? '0')
    assert.ok(usec >= before && usec <= process.hrtime.bigint() / 1000n)
  },
)

test('Notifier reaches a socket in the abstract namespace', needs('socat'), async (t) => {
  const name = `@mcs-lb-notify-${process.pid}`
  const receiver = await receiveDatagrams(t, name)
  const notifier = Notifier.fromEnvironment(silent, { NOTIFY_SOCKET: name })
  atEnd(t, () => notifier.close())
  notifier.ready()
  await waitUntil('READY=1 arrives', () => receiver.received() === 'READY=1')
})

test('Notifier.fromEnvironment() takes its variables out of the environment', () => {
  const environment = { NOTIFY_SOCKET: '/nowhere', WATCHDOG_USEC: '20000000', WATCHDOG_PID: '1', PATH: '/bin' }
  Notifier.fromEnvironment(silent, environment)
  assert.deepEqual(environment, { PATH: '/bin' })
})

test('Notifier.watchdogIntervalMs is half of WATCHDOG_USEC, for the process that WATCHDOG_PID names', () => {
  const interval = (WATCHDOG_USEC: string, WATCHDOG_PID?: string): number | undefined =>
    Notifier.fromEnvironment(silent, {
      NOTIFY_SOCKET: '/nowhere',
      WATCHDOG_USEC,
      ...(WATCHDOG_PID === undefined ? {} : { WATCHDOG_PID }),
    }).watchdogIntervalMs
  assert.equal(interval('20000000'), 10_000)
  assert.equal(interval('20000000', String(process.pid)), 10_000)
  assert.equal(interval('20000000', String(process.pid + 1)), undefined)
  assert.equal(interval('0'), undefined)
  assert.equal(interval('soon'), undefined)
})

test('Notifier logs at debug and goes on when the socket is missing or its path too long', () => {
  const errors: unknown[] = []
  const log = { debug: (_: string, fields?: Readonly<Record<string, unknown>>) => errors.push(fields?.error) }
  Notifier.fromEnvironment(log, { NOTIFY_SOCKET: '/nowhere/notify' }).ready()
  Notifier.fromEnvironment(log, { NOTIFY_SOCKET: `/${'x'.repeat(108)}` }).ready()
  Notifier.fromEnvironment(log, { NOTIFY_SOCKET: 'vsock:2:1234' }).ready()
  assert.deepEqual(errors, ['ENOENT', 'ENAMETOOLONG', undefined])
})

test('Notifier loses what a full socket does not take, and does not wait', needs('socat'), async (t) => {
  const path = join(temporaryDirectory(t), 'notify')
  const receiver = await receiveDatagrams(t, path)
  const errors = new Set<unknown>()
  const log = { debug: (_: string, fields?: Readonly<Record<string, unknown>>) => errors.add(fields?.error) }
  const notifier = Notifier.fromEnvironment(log, { NOTIFY_SOCKET: path })
  atEnd(t, () => notifier.close())
  await receiver.freeze()
  for (let i = 0; i < 2000; i++) notifier.status(`connection ${i}`)
  assert.deepEqual([...errors], ['EAGAIN'])
})

test('Notifier opens no socket without NOTIFY_SOCKET', () => {
  const open = (): number => readdirSync('/proc/self/fd').length
  const before = open()
  const notifier = Notifier.fromEnvironment(silent, {})
  notifier.ready()
  notifier.watchdog()
  assert.equal(open(), before)
})
