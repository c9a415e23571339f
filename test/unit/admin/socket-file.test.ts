import assert from 'node:assert/strict'
import { once } from 'node:events'
import { link, lstat, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { adminRequest } from '#src/admin/client.js'
import { startAdmin } from '#src/admin/server.js'
import { spawnChild } from '../../helpers/child-process.ts'
import { atEnd } from '../../helpers/cleanup.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { FakeService } from './fake-service.ts'
import { startTestAdmin } from './harness.ts'

const start = (socket: string) => startAdmin({ socket, service: new FakeService(), log: { error() {} } })

test('startAdmin() makes a socket of mode 0600 whatever the umask, and leaves nothing else', async (t) => {
  const directory = temporaryDirectory(t)
  const umask = process.umask(0)
  atEnd(t, () => process.umask(umask))
  const admin = await start(join(directory, 'admin.sock'))
  atEnd(t, () => admin.close())
  const found = await lstat(join(directory, 'admin.sock'))
  assert.equal(found.isSocket(), true)
  assert.equal((found.mode & 0o777).toString(8), '600')
  assert.deepEqual(await readdir(directory), ['admin.sock'])
})

test('startAdmin() replaces the socket of a process that died', async (t) => {
  const path = join(temporaryDirectory(t), 'admin.sock')
  const script = "require('node:net').createServer().listen(process.argv[1], () => console.log('listening'))"
  const child = spawnChild(process.execPath, ['-e', script, path])
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal((await lstat(path)).isSocket(), true)
  const admin = await start(path)
  atEnd(t, () => admin.close())
  assert.equal((await adminRequest(path, 'GET', '/healthz')).status, 200)
})

test('startAdmin() refuses a path that another process answers on, and leaves it working', async (t) => {
  const { socket } = await startTestAdmin(t)
  await assert.rejects(start(socket), { code: 'MCS_ADMIN_FAILED', message: /answers on it; stop that process/ })
  assert.equal((await adminRequest(socket, 'GET', '/healthz')).status, 200)
})

test('startAdmin() lets one of many that start at once win over a stale socket', async (t) => {
  const { socket, admin } = await startTestAdmin(t)
  await admin.close()
  const stale = createServer()
  const directory = dirname(socket)
  stale.listen(join(directory, 'bound'))
  await once(stale, 'listening')
  await link(join(directory, 'bound'), socket)
  await new Promise((resolve) => stale.close(resolve))
  const results = await Promise.allSettled([start(socket), start(socket), start(socket), start(socket)])
  const winners = results.filter((result) => result.status === 'fulfilled')
  atEnd(t, () => Promise.all(winners.map(({ value }) => value.close())))
  assert.equal(winners.length, 1)
  assert.equal((await adminRequest(socket, 'GET', '/healthz')).status, 200)
  assert.deepEqual(await readdir(directory), ['admin.sock'])
})

test('startAdmin() names the lock that a killed process has left beside a stale socket', async (t) => {
  const { socket } = await startTestAdmin(t)
  const directory = dirname(socket)
  await mkdir(join(directory, '.admin.sock.lock'))
  await assert.rejects(start(socket), { code: 'MCS_ADMIN_FAILED', message: /remove that directory/ })
  assert.deepEqual((await readdir(directory)).sort(), ['.admin.sock.lock', 'admin.sock'])
})

test('startAdmin() refuses a file, a directory and a symlink in the way, and deletes none', async (t) => {
  const directory = temporaryDirectory(t)
  await writeFile(join(directory, 'file'), 'precious')
  await mkdir(join(directory, 'directory'))
  await symlink(join(directory, 'target'), join(directory, 'symlink'))
  for (const name of ['file', 'directory', 'symlink']) {
    await assert.rejects(start(join(directory, name)), { code: 'MCS_ADMIN_FAILED', message: /is no socket; remove it/ })
  }
  assert.deepEqual((await readdir(directory)).sort(), ['directory', 'file', 'symlink'])
})

test('startAdmin() names the missing directory and the path that is too long', async (t) => {
  const directory = temporaryDirectory(t)
  await assert.rejects(start(join(directory, 'missing', 'admin.sock')), {
    code: 'MCS_ADMIN_FAILED',
    message: /create ".*missing"/,
  })
  await assert.rejects(start(join(directory, 'x'.repeat(108))), { code: 'MCS_ADMIN_FAILED', message: /at most 107/ })
  assert.deepEqual(await readdir(directory), [])
})

test('close() removes the socket file, and leaves one that another has put there', async (t) => {
  const { socket, admin } = await startTestAdmin(t)
  const second = await startTestAdmin(t)
  await admin.close()
  await assert.rejects(lstat(socket), { code: 'ENOENT' })

  await rm(second.socket)
  await writeFile(second.socket, 'of another')
  await second.admin.close()
  assert.equal((await lstat(second.socket)).isFile(), true)
})
