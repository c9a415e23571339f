import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { requirePeer } from '../../helpers/peers.ts'

/** Sets MCS_LB_REQUIRE_PEERS for the length of one test; undefined removes it. */
function setRequired(t: TestContext, value: string | undefined): void {
  const before = process.env.MCS_LB_REQUIRE_PEERS
  const assign = (to: string | undefined) => {
    if (to === undefined) delete process.env.MCS_LB_REQUIRE_PEERS
    else process.env.MCS_LB_REQUIRE_PEERS = to
  }
  assign(value)
  t.after(() => assign(before))
}

test('requirePeer() finds an installed program', (t) => {
  assert.match(requirePeer(t, 'sh') ?? '', /\/sh$/)
})

test('requirePeer() skips the test with a reason where the program is missing', (t) => {
  setRequired(t, undefined)
  const reasons: unknown[] = []
  const context = { skip: (reason: string) => reasons.push(reason) } as unknown as TestContext
  assert.equal(requirePeer(context, 'no-such-program'), undefined)
  assert.deepEqual(reasons, ['no-such-program is not installed'])
})

test('requirePeer() fails the test under MCS_LB_REQUIRE_PEERS=1', (t) => {
  setRequired(t, '1')
  const context = { skip: () => {} } as unknown as TestContext
  assert.throws(() => requirePeer(context, 'no-such-program'), /no-such-program is not installed/)
})
