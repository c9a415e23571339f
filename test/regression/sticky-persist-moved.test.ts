import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { tryGreeting } from '../helpers/greeted-client.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { needs } from '../helpers/peers.ts'
import { RedisServer } from '../helpers/redis-server.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { startUpstream } from '../helpers/upstream-setup.ts'
import { waitUntil } from '../helpers/wait-until.ts'

interface Place {
  readonly persist: string
  /** What is kept there, as text. */
  readonly read: () => Promise<string>
}

function fileIn(t: TestContext): Place {
  const path = join(temporaryDirectory(t), 'sticky')
  return { persist: `{ path: ${path} }`, read: async () => (existsSync(path) ? readFileSync(path, 'utf8') : '') }
}

async function hashIn(t: TestContext): Promise<Place> {
  const redis = await RedisServer.start(t)
  const read = async () => JSON.stringify(await redis.client.hgetall('kept'))
  return { persist: `{ redis: { url: "${redis.url}" }, key: kept }`, read }
}

// A store was given what had changed since it was opened. So a reload that moved sticky.persist left the new place
// empty of every client that did not come again, until the end and at the end too. The old place lost its last seconds:
// by the time of its last save no upstream was said to be kept there any more.
for (const [from, to, options] of [
  ['one file', 'another', {}],
  ['a file', 'Redis', needs('redis-server')],
] as const) {
  test(`a reload that moves sticky.persist from ${from} to ${to} leaves no client behind`, options, async (t) => {
    const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
    const [old, next] = [fileIn(t), to === 'Redis' ? await hashIn(t) : fileIn(t)]
    const upstream = ({ persist }: Place, ...list: readonly NamedBackend[]) => `{
      sticky: { persist: ${persist} }, servers: [${list.map(({ address }) => `{ address: "${address}" }`)}] }`
    const first = await startUpstream(t, upstream(old, a, b))
    assert.equal(await tryGreeting(t, first.port), 'a')
    assert.equal((await first.reload(upstream(next, a, b))).outcome, 'serving')
    assert.match(await old.read(), /127\.0\.0\.1/)
    await waitUntil('the client is kept in the new place', async () => /127\.0\.0\.1/.test(await next.read()))
    assert.equal(await first.lb.stop(), 0)
    const second = await startUpstream(t, upstream(next, b, a))
    assert.equal(await tryGreeting(t, second.port), 'a', 'without the entry it would be b')
  })
}

test(
  'an upstream that moves to a place where another one is kept already takes its clients along',
  needs('redis-server'),
  async (t) => {
    const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
    const [old, next] = [fileIn(t), await hashIn(t)]
    const upstreams = (place: Place) => `{
    sticky: { persist: ${place.persist} }, servers: [{ address: "${a.address}" }, { address: "${b.address}" }] }
  other: { sticky: { persist: ${next.persist} }, servers: [{ address: "${b.address}" }] }`
    const { port, reload } = await startUpstream(t, upstreams(old))
    assert.equal(await tryGreeting(t, port), 'a')
    // From then on it is none of what has changed of late, in the other place either.
    await waitUntil('it is kept', async () => /web/.test(await old.read()), 10_000)
    assert.equal((await reload(upstreams(next))).outcome, 'serving')
    await waitUntil('it is kept in the new place', async () => /web 127\.0\.0\.1/.test(await next.read()))
  },
)
