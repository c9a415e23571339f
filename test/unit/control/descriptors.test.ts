import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionCapacity, neededDescriptors } from '#src/control/descriptors.js'
import { parse } from '../config/fixture.ts'

const config = parse(`version: 1
workers: 2
listeners: { edge: { bind: "127.0.0.1:64400", upstream: chat } }
upstreams: { chat: { servers: [{ address: "10.0.0.1:9100" }] } }
`)

test('connectionCapacity() leaves what an idle process needs, also under a low limit', () => {
  // 36 were counted with two workers.
  for (let limit = 64; limit <= 1024; limit++) {
    const capacity = connectionCapacity(limit, config)
    assert.ok(capacity === 1 || limit - 2 * capacity >= 48 + 2 * 8 + 1, `${limit} leave ${limit - 2 * capacity}`)
  }
  assert.equal(connectionCapacity(64, config), 1)
  assert.equal(connectionCapacity(128, config), 31)
})

test('connectionCapacity() reserves a quarter of the limit, and at most 256', () => {
  assert.equal(connectionCapacity(512, config), (512 - 128 - 17 - 1) / 2)
  assert.equal(connectionCapacity(65_536, config), (65_536 - 256 - 17 - 1) / 2)
})

test('neededDescriptors() is a limit under which there is room', () => {
  for (const connections of [1, 100, 1000, 100_000])
    assert.ok(connectionCapacity(neededDescriptors(connections, config), config) >= connections)
})
