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

function standingOf(status: ReturnType<Standing['statusOf']>): Standing {
  return { statusOf: () => status, stickyStatusOf: () => undefined, clientCapacity }
}

const clientCapacity = makeConfig().limits.stickyClients
const known = { source: 'file "/members.yaml"', members: 0 }
const lost = standingOf({ ...known, state: 'lost', reason: 'connect ECONNREFUSED' })
const good = standingOf({ ...known, state: 'good', reason: '', members: 1 })
const bare = makeUpstream({ servers: [], discovery })
const mixed = makeUpstream({ discovery })

test('reloadWarnings() tells of an upstream that has no backend, and why', () => {
  const [warning, ...more] = reloadWarnings(null, serving(bare, []), lost)
  assert.deepEqual(more, [])
  assert.deepEqual(warning, {
    message: 'Upstream "chat" has no backend',
    fields: { discovery: 'lost', source: 'file "/members.yaml"', reason: 'connect ECONNREFUSED' },
    text: 'Upstream "chat" has no backend: its discovery has lost its source (file "/members.yaml"): connect ECONNREFUSED',
  })
  const [starting] = reloadWarnings(null, serving(bare, []), standingOf({ ...known, state: 'starting', reason: '' }))
  const text = 'Upstream "chat" has no backend: its discovery has not answered yet (file "/members.yaml")'
  assert.equal(starting?.text, text)
})

test('reloadWarnings() tells of an upstream that has lost all that discovery had found', () => {
  const [warning] = reloadWarnings(serving(mixed, [makeServer(10)]), serving(mixed, []), lost)
  assert.equal(warning?.message, 'Upstream "chat" has none of the backends any more that discovery had found')
})

// A reload with a wrong password, or a mistyped prefix, said that all was well: the backends believed before served on.
test('reloadWarnings() tells of a discovery that finds nobody, though backends serve that it believed before', () => {
  const remembered = standingOf({ ...known, state: 'lost', reason: 'WRONGPASS', members: 1 })
  const texts = (upstream: UpstreamConfig, standing: Standing) => {
    const found = upstream === bare ? [makeServer(10)] : []
    return reloadWarnings(null, serving(upstream, found), standing).map(({ text }) => text)
  }
  const before = 'Upstream "chat" has the backends that its discovery believed before'
  assert.deepEqual(texts(bare, remembered), [
    `${before}: its discovery has lost its source (file "/members.yaml"): WRONGPASS`,
  ])
  const empty = standingOf({ ...known, state: 'empty', reason: 'the list is empty', members: 1 })
  assert.deepEqual(texts(bare, empty), [
    `${before}: its discovery finds nobody (file "/members.yaml"): the list is empty`,
  ])
  assert.deepEqual(texts(mixed, lost), [
    'Upstream "chat" has the backends of the file alone: its discovery has lost its source (file "/members.yaml"): connect ECONNREFUSED',
  ])
  assert.deepEqual(texts(bare, good), [])
})

test('reloadWarnings() has nothing to say where backends are as wanted', () => {
  const one = [makeServer(10)]
  assert.deepEqual(reloadWarnings(null, serving(bare, one), good), [])
  assert.deepEqual(reloadWarnings(null, serving(mixed, []), good), [])
  assert.deepEqual(reloadWarnings(serving(mixed, []), serving(mixed, []), good), [])
  assert.deepEqual(reloadWarnings(serving(mixed, one), serving(mixed, one), good), [])
  assert.deepEqual(reloadWarnings(serving(mixed, one), serving(makeUpstream(), []), standingOf(undefined)), [])
})

test('reloadWarnings() tells what waits for the next start', () => {
  const one = [makeServer(10)]
  const [warning] = reloadWarnings(null, serving(bare, one), { ...good, clientCapacity: 64 })
  assert.equal(
    warning?.text,
    `limits.stickyClients takes effect at the next start: ${clientCapacity} in the file, 64 in use`,
  )
  assert.deepEqual(warning?.fields, { configured: clientCapacity, inUse: 64 })
})
