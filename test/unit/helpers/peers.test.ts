import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { atEnd } from '../../helpers/cleanup.ts'
import { needs } from '../../helpers/peers.ts'

/** Sets MCS_LB_REQUIRE_PEERS for the length of one test; undefined removes it. */
function setRequired(t: TestContext, value: string | undefined): void {
  const before = process.env.MCS_LB_REQUIRE_PEERS
  const assign = (to: string | undefined) => {
    if (to === undefined) delete process.env.MCS_LB_REQUIRE_PEERS
    else process.env.MCS_LB_REQUIRE_PEERS = to
  }
  assign(value)
  atEnd(t, () => assign(before))
}

test('needs() skips nothing where the programs are installed', () => {
  assert.deepEqual(needs('sh', 'node'), {})
})

test('needs() skips a test with a reason where a program is missing', (t) => {
  setRequired(t, undefined)
  assert.deepEqual(needs('sh', 'no-such-program'), { skip: 'no-such-program is not installed' })
})

test('needs() throws under MCS_LB_REQUIRE_PEERS=1', (t) => {
  setRequired(t, '1')
  assert.throws(() => needs('no-such-program'), /no-such-program is not installed/)
})
