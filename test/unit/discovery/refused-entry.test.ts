import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RefusedEntries } from '#src/discovery/refused-entry.js'

function named(...entries: readonly unknown[]): string[] {
  return entries.map((entry) => {
    const refused = new RefusedEntries()
    refused.note('bad-address', entry)
    return refused.list()[0]!.entry
  })
}

test('RefusedEntries.list() names ten entries at most, some of every reason', () => {
  const refused = new RefusedEntries()
  for (let index = 0; index < 1000; index++) refused.note('port', `10.0.0.1:${index}`)
  refused.note('network', '192.0.2.1:9100')
  const list = refused.list()
  assert.equal(list.length, 10)
  assert.deepEqual(list.slice(0, 3), [
    { entry: '10.0.0.1:0', reason: 'port' },
    { entry: '192.0.2.1:9100', reason: 'network' },
    { entry: '10.0.0.1:1', reason: 'port' },
  ])
})

test('RefusedEntries.list() cuts an entry, and shows nothing that a terminal would act on', () => {
  assert.deepEqual(named('a'.repeat(65), '\u001b[2J\n\u202e1', ''), [`${'a'.repeat(64)}…`, '?[2J??1', ''])
})

test('RefusedEntries.list() shows no secret: of an object its address, of a URL what follows the password', () => {
  const secret = 'geheim'.repeat(50)
  const entries = [
    { address: '10.0.0.1:22', token: secret },
    { token: secret },
    `{"token":"${secret}","address":"10.0.0.1:22"}`,
    `{"token":"${secret}","address" : "10.0.0.1:22`,
    `{"address":"10.0.0.1:22","token":"${secret}`,
    `http://user:${secret}@10.0.0.1:22`,
    [secret],
  ]
  const address = '10.0.0.1:22'
  assert.deepEqual(named(...entries), [address, '{}', address, '{}', address, `…@${address}`, '{}'])
})

test('RefusedEntries.list() names what is no text', () => {
  assert.deepEqual(named(7, null, undefined, true), ['7', 'null', 'undefined', 'true'])
})
