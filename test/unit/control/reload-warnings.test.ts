import assert from 'node:assert/strict'
import test from 'node:test'
import { reloadWarnings, type Standing } from '#src/control/reload-warnings.js'
import type { DiscoveryConfig, ServerConfig, UpstreamConfig } from '#src/model/config.js'
import { makeConfig, makeServer, makeUpstream } from '../../helpers/config-maker.ts'

const discovery: DiscoveryConfig = {
  type: 'file',
  path: '/members.yaml',
  intervalMs: 1000,
  maxRemoval: 0.5,
  holdBackMs: 1000,
  maxMembers: 10,
  allow: { networks: [], ports: [] },
}

function serving(upstream: UpstreamConfig, found: readonly ServerConfig[]) {
  const members = new Map([[upstream.name, [...upstream.servers, ...found]]])
  return { config: makeConfig({ upstreams: [upstream] }), members }
}

const clientCapacity = makeConfig().limits.stickyClients
const lost: Standing = {
  statusOf: () => ({ state: 'lost', reason: 'connect ECONNREFUSED' }),
  stickyStatusOf: () => undefined,
  clientCapacity,
}
const bare = makeUpstream({ servers: [], discovery })
const mixed = makeUpstream({ discovery })

test('reloadWarnings() tells of an upstream that has no backend, and why', () => {
  const [warning, ...more] = reloadWarnings(null, serving(bare, []), lost)
  assert.deepEqual(more, [])
  assert.deepEqual(warning, {
    message: 'Upstream "chat" has no backend',
    fields: { discovery: 'lost', reason: 'connect ECONNREFUSED' },
    text: 'Upstream "chat" has no backend: its discovery has lost its source: connect ECONNREFUSED',
  })
  const [starting] = reloadWarnings(null, serving(bare, []), {
    ...lost,
    statusOf: () => ({ state: 'starting', reason: '' }),
  })
  assert.equal(starting?.text, 'Upstream "chat" has no backend: its discovery has not answered yet')
})

test('reloadWarnings() tells of an upstream that has lost all that discovery had found', () => {
  const [warning] = reloadWarnings(serving(mixed, [makeServer(10)]), serving(mixed, []), lost)
  assert.equal(warning?.message, 'Upstream "chat" has none of the backends any more that discovery had found')
})

test('reloadWarnings() has nothing to say where backends are as wanted', () => {
  const one = [makeServer(10)]
  assert.deepEqual(reloadWarnings(null, serving(bare, one), lost), [])
  assert.deepEqual(reloadWarnings(null, serving(mixed, []), lost), [])
  assert.deepEqual(reloadWarnings(serving(mixed, []), serving(mixed, []), lost), [])
  assert.deepEqual(reloadWarnings(serving(mixed, one), serving(mixed, one), lost), [])
  assert.deepEqual(reloadWarnings(serving(mixed, one), serving(makeUpstream(), []), lost), [])
})

test('reloadWarnings() tells what waits for the next start', () => {
  const one = [makeServer(10)]
  const [warning] = reloadWarnings(null, serving(bare, one), { ...lost, clientCapacity: 64 })
  assert.equal(
    warning?.text,
    `limits.stickyClients takes effect at the next start: ${clientCapacity} in the file, 64 in use`,
  )
  assert.deepEqual(warning?.fields, { configured: clientCapacity, inUse: 64 })
})
