import assert from 'node:assert/strict'
import test from 'node:test'
import { probe } from '#src/health/probe.js'
import type { SocketAddress } from '#src/model/address.js'
import type { HealthConfig } from '#src/model/config.js'
import { needsPostgres, startPostgres } from '../../helpers/postgres-server.ts'
import { loopback, makeHealth, told } from './fixture.ts'

type PostgresPart = Partial<HealthConfig['postgres']>

async function check(address: SocketAddress, part: PostgresPart = {}, changes: Partial<HealthConfig> = {}) {
  const postgres = { ...makeHealth().postgres, ...part }
  return told(await probe(address, makeHealth({ type: 'postgres', postgres, ...changes })))
}

test(
  'probe() of postgres logs in to PostgreSQL by every method, and knows a primary from a standby',
  needsPostgres(),
  async (t) => {
    const servers = await startPostgres(t)
    const primary = loopback(servers.primaryPort)
    const standby = loopback(servers.standbyPort)
    const tls = { serverName: '', ca: servers.ca, verify: true }

    await t.test('probe() of postgres knows a primary from a standby', async () => {
      assert.equal(await check(primary), 'ok')
      assert.equal(await check(primary, { role: 'primary' }), 'ok')
      assert.equal(await check(standby, { role: 'standby' }), 'ok')
      assert.equal(await check(primary, { role: 'standby' }), 'role: expected standby, got primary')
      assert.equal(await check(standby, { role: 'primary' }), 'role: expected primary, got standby')
      assert.equal(await check({ family: 'unix', path: servers.socket }, { role: 'primary' }), 'ok')
    })

    for (const user of ['password', 'md5', 'scram']) {
      await t.test(`probe() of postgres logs in by ${user}`, async () => {
        assert.equal(await check(primary, { user, password: 'sesame', role: 'primary' }), 'ok')
        // The second login by SCRAM finds its key derived.
        assert.equal(await check(primary, { user, password: 'sesame' }), 'ok')
        const refused = `login: FATAL 28P01 "password authentication failed for user \\"${user}\\""`
        assert.equal(await check(primary, { user, password: 'wrong!' }), refused)
        const unasked = 'login: the server asks for a password, and none is configured'
        assert.equal(await check(primary, { user }), unasked)
      })
    }

    await t.test('probe() of postgres asks for TLS where it is configured', async () => {
      const login = { user: 'tls', password: 'sesame', role: 'primary' } as const
      assert.equal(await check(primary, login, { tls }), 'ok')
      assert.match(await check(primary, login), /^login: FATAL 28000 "no pg_hba\.conf entry for host/)
      assert.match(await check(primary, login, { tls: { ...tls, serverName: 'other.test' } }), /^tls: .*other\.test/)
      assert.equal(await check(primary, login, { tls: { ...tls, ca: 'system' } }), 'tls: self-signed certificate')
    })

    await t.test('probe() of postgres says which database is missing', async () => {
      assert.equal(
        await check(primary, { database: 'none' }),
        'login: FATAL 3D000 "database \\"none\\" does not exist"',
      )
    })
  },
)
