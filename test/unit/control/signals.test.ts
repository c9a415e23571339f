import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { Script } from '../../helpers/script.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

/** Takes the signals; attaches its actions, which say their names, on SIGURG, and ends on SIGWINCH. */
async function startScript(
  t: TestContext,
): Promise<{ script: Script; send(...signals: NodeJS.Signals[]): Promise<void> }> {
  const script = new Script(
    t,
    `import { Signals } from '#src/control/signals.js'
    const say = (word) => process.stdout.write(word + ' ')
    const signals = new Signals(() => say('at-once'))
    process.on('SIGURG', () => {
      signals.attach(
        {
          reload: () => say('reload'),
          reopenLogs: () => say('reopen'),
          shutdown: (signal) => say(signal),
        },
        { debug() {} },
      )
      say('attached')
    })
    for (const signal of ['SIGHUP', 'SIGUSR2', 'SIGTERM', 'SIGINT']) process.on(signal, () => console.error(signal))
    setInterval(() => {}, 1000)
    console.error('ready')`,
  )
  let told = 1
  const heard = () => script.stderr.split('\n').length - 1
  await waitUntil('the script is ready', () => heard() === told)
  return {
    script,
    // One after the other: of signals that are pending at once, the kernel gives equal ones once, in any order.
    send: async (...signals) => {
      for (const signal of signals) {
        script.child.kill(signal)
        told += signal === 'SIGURG' ? 0 : 1
        if (signal === 'SIGURG') await script.says('attached')
        else await waitUntil(`${signal} is taken`, () => heard() === told)
      }
    },
  }
}

test('Signals carries out a reload and a reopening that were asked for before it was attached, each once', async (t) => {
  const { script, send } = await startScript(t)
  await send('SIGHUP', 'SIGUSR2', 'SIGHUP', 'SIGURG')
  assert.equal(script.stdout, 'reload reopen attached ')
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`Signals carries out a ${signal} that came before it was attached, instead of a reload`, async (t) => {
    const { script, send } = await startScript(t)
    await send('SIGHUP', signal, 'SIGURG')
    assert.equal(script.stdout, `${signal} attached `)
  })
}

test('Signals asks for an end at once by a second signal', async (t) => {
  const { script, send } = await startScript(t)
  await send('SIGURG', 'SIGTERM', 'SIGINT')
  await script.says('at-once')
  assert.equal(script.stdout, 'attached SIGTERM at-once ')
})

test('Signals counts one that came before it was attached as the first', async (t) => {
  const { script, send } = await startScript(t)
  await send('SIGTERM', 'SIGURG', 'SIGTERM')
  await script.says('at-once')
  assert.equal(script.stdout, 'SIGTERM attached at-once ')
})

test('Signals asks for an end at once by a second signal though it was never attached', async (t) => {
  const { script, send } = await startScript(t)
  await send('SIGTERM', 'SIGINT')
  await script.says('at-once')
  assert.equal(script.stdout, 'at-once ')
})

test('Signals reloads and reopens as often as it is asked once it is attached', async (t) => {
  const { script, send } = await startScript(t)
  await send('SIGURG', 'SIGHUP', 'SIGUSR2', 'SIGHUP')
  await script.says('reload reopen reload')
  assert.equal(script.stdout, 'attached reload reopen reload ')
})
