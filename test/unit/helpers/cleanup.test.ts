import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atEnd } from '../../helpers/cleanup.ts'

// A directory was removed while a server still wrote in it; that threw, and the server was never closed.
test('atEnd() does the last first, and the others too where one throws', async () => {
  const hooks: (() => unknown)[] = []
  const t = { after: (hook: () => unknown) => hooks.push(hook) }
  const done: string[] = []
  atEnd(t, () => done.push('directory'))
  atEnd(t, async () => {
    throw new Error('not empty')
  })
  atEnd(t, async () => done.push('server'))
  assert.equal(hooks.length, 1)
  await assert.rejects(async () => hooks[0]!(), { name: 'AggregateError', message: /not empty/ })
  assert.deepEqual(done, ['server', 'directory'])
})
