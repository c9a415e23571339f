import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loopback, makeConfig, makeListener, makeServer, makeUpstream } from '../helpers/config-maker.ts'
import { freePort } from '../helpers/free-port.ts'
import { connectClient, createService, startSilentBackend } from '../helpers/in-process-service.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// A reload that came while connections drained was refused with "the earlier one goes on serving", as any refused reload
// is. Nothing served: the listeners were closed, and the process about to end.
test('ServingService.reload() says while it drains that the process is stopping', async (t) => {
  const [port, backend] = [await freePort(), await startSilentBackend(t)]
  const { service, logged } = createService(
    t,
    makeConfig({
      listeners: [makeListener({ bind: [loopback(port)] })],
      upstreams: [makeUpstream({ servers: [makeServer(backend)] })],
    }),
  )
  await service.reload('start')
  const client = await connectClient(t, port)
  await waitUntil('it is served', async () => (await service.status()).connections.active === 1)
  const stopped = service.shutdown(20_000)
  await waitUntil('it drains', () => logged.some((line) => line.startsWith('Stopped accepting')))
  assert.equal((await service.reload('signal')).outcome, 'refused')
  assert.equal(logged.at(-1), 'Refused the configuration; the process is stopping')
  client.destroy()
  assert.equal(await stopped, 0)
})
