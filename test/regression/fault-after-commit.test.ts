import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeConfig } from '../helpers/config-maker.ts'
import { createService } from '../helpers/in-process-service.ts'

// After the commit the control plane's own parts follow the configuration: the log's level, the admin socket, the watch.
// Where one of them threw (no inotify watch was left), the reload was answered with "refused; generation N goes on
// serving", N being the refused one itself. A start ended the process, with 1.
test('ServingService.reload() reports what serves as serving where a setting of the control plane fails', async (t) => {
  const made = createService(t, makeConfig(), () => Promise.reject(new Error('no watch is left')))
  const { service, logged } = made
  assert.equal((await service.reload('start')).outcome, 'serving')
  made.file = makeConfig({ workers: 2 })
  const result = await service.reload('admin')
  assert.deepEqual([result.outcome, result.generation], ['serving', 2])
  assert.equal((await service.status()).lastReload.result, 'serving')
  const faults = logged.filter((line) => line.startsWith('The control plane cannot follow'))
  assert.equal(faults.length, 2)
})
