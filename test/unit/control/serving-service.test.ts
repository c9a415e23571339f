import assert from 'node:assert/strict'
import test from 'node:test'
import type { Config } from '#src/model/config.js'
import { loopback, makeConfig, makeListener, makeServer, makeUpstream } from '../../helpers/config-maker.ts'
import { freePort } from '../../helpers/free-port.ts'
import { connectClient, createService, startSilentBackend } from '../../helpers/in-process-service.ts'
import { waitUntil } from '../../helpers/wait-until.ts'

function serve(listen: number, backend: number, changes: Partial<Config> = {}): Config {
  return makeConfig({
    listeners: [makeListener({ bind: [loopback(listen)] })],
    upstreams: [makeUpstream({ servers: [makeServer(backend)] })],
    ...changes,
  })
}

test('ServingService.shutdown() during a reload goes on draining: nothing that is asked for later serves again', async (t) => {
  const [listen, backend] = [await freePort(), await startSilentBackend(t)]
  const made = createService(t, serve(listen, backend))
  const { service } = made
  assert.equal((await service.reload('start')).outcome, 'serving')
  const client = await connectClient(t, listen)
  await waitUntil('it is served', async () => (await service.status()).connections.active === 1)
  let finishLoading = (_: Config) => {}
  made.file = new Promise((resolve) => {
    finishLoading = resolve
  })
  const reload = service.reload('signal')
  const queued = service.reload('file')
  const stopped = service.shutdown(20_000)
  finishLoading(serve(listen, backend, { limits: { connections: 7, pendingBytes: 1_048_576, stickyClients: 1024 } }))
  await reload
  assert.equal((await queued).outcome, 'refused')
  await waitUntil('it has stopped accepting', () => made.logged.some((line) => line.startsWith('Stopped accepting')))
  assert.equal((await service.reload('admin')).outcome, 'refused')
  const status = await service.status()
  assert.equal(status.state, 'draining')
  assert.deepEqual(
    status.listeners.map(({ state, active }) => ({ state, active })),
    [{ state: 'closed', active: 1 }],
  )
  client.destroy()
  assert.equal(await stopped, 0)
})

test('ServingService.reload() does not tell systemd that it is ready once it stops', async (t) => {
  const made = createService(t, serve(await freePort(), 9))
  await made.service.reload('start')
  await made.service.shutdown(0)
  await made.service.reload('admin')
  assert.deepEqual(made.notified, ['READY', 'STOPPING'])
})

test('ServingService.status() counts connections in total, those of removed listeners included', async (t) => {
  const [first, second, backend] = [await freePort(), await freePort(), await startSilentBackend(t)]
  const made = createService(t, serve(first, backend))
  const { service } = made
  await service.reload('start')
  for (let n = 0; n < 3; n++) (await connectClient(t, first)).destroy()
  const total = async () => (await service.status()).connections.total
  await waitUntil('all are counted', async () => (await total()) === 3)
  await waitUntil('all are gone', async () => (await service.status()).connections.active === 0)
  for (let n = 0; n < 4; n++) {
    const listener = makeListener({ name: `listener-${n}`, bind: [loopback(n % 2 === 0 ? second : first)] })
    made.file = serve(first, backend, { listeners: [listener] })
    assert.equal((await service.reload('admin')).outcome, 'serving')
    assert.equal(await total(), 3)
  }
})

test('ServingService.reload() serves again after a file that asked for too much was refused', async (t) => {
  const made = createService(t, serve(await freePort(), 9))
  const { service } = made
  await service.reload('start')
  const upstreams = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, i) => makeUpstream({ name: i === 0 ? 'chat' : `${prefix}-${i}` }))
  const before = made.file as Config
  made.file = { ...before, upstreams: upstreams('many', 4097) }
  const refused = await service.reload('admin')
  assert.equal(refused.outcome === 'refused' && refused.errors[0]?.code, 'MCS_LIMIT_EXCEEDED')
  made.file = { ...before, upstreams: upstreams('few', 3) }
  assert.equal((await service.reload('admin')).outcome, 'serving')
})

test('ServingService.reload() gives everyone who asks during a reload one answer, from the file as it is then', async (t) => {
  const listen = await freePort()
  const made = createService(t, serve(listen, 9))
  const { service } = made
  await service.reload('start')
  let finishLoading = (_: Config) => {}
  made.file = new Promise((resolve) => {
    finishLoading = resolve
  })
  const running = service.reload('signal')
  const waiting = [service.reload('admin'), service.reload('file')]
  finishLoading(serve(listen, 10))
  made.file = serve(listen, 11)
  await running
  const [one, two] = await Promise.all(waiting)
  assert.equal(one, two)
  assert.equal(one!.generation, 3)
  assert.deepEqual(service.config?.upstreams[0]?.servers, [makeServer(11)])
})

test('ServingService.reload() tells that the file is good again when it says what is served, after it was refused', async (t) => {
  const made = createService(t, serve(await freePort(), 9))
  const { service } = made
  await service.reload('start')
  const good = made.file as Config
  const upstreams = Array.from({ length: 4097 }, (_, i) => makeUpstream({ name: i === 0 ? 'chat' : `many-${i}` }))
  made.file = { ...good, upstreams }
  assert.equal((await service.reload('file')).outcome, 'refused')
  made.file = good
  assert.equal((await service.reload('file')).outcome, 'unchanged')
  assert.equal(made.logged.at(-1), 'Already serving generation 1; the file is good again')
  await service.reload('file')
  assert.equal(made.logged.at(-1), 'Already serving generation 1')
})

// A save that the watcher had served left `mcs-lb reload` with nothing to say: it exited 0 without the warnings.
test('ServingService.reload() tells again what there is to warn of when the file says nothing new', async (t) => {
  const empty: Partial<Config> = { upstreams: [makeUpstream({ servers: [] })] }
  const made = createService(t, serve(await freePort(), 9, empty))
  const { service } = made
  await service.reload('start')
  const { limits } = made.file as Config
  made.file = { ...(made.file as Config), limits: { ...limits, stickyClients: 2 * limits.stickyClients } }
  const served = await service.reload('file')
  const warnings = served.outcome === 'serving' ? served.warnings : []
  assert.equal(warnings.length, 2)
  assert.equal(warnings[0], 'Upstream "chat" has no backend')
  const logged = made.logged.filter((line) => line.includes('no backend')).length
  const { generationSince } = await service.status()
  assert.deepEqual(await service.reload('admin'), {
    outcome: 'unchanged',
    generation: 2,
    since: generationSince,
    warnings,
  })
  assert.equal(made.logged.filter((line) => line.includes('no backend')).length, logged)
})
