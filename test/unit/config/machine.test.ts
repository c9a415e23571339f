import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { thisMachine, usableCpus } from '#src/config/machine.js'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

function cpus(scheduled: number, files: Readonly<Record<string, string>>): number {
  return usableCpus(scheduled, (path) => files[path])
}

test('usableCpus() gives the scheduled CPUs where there is no quota', () => {
  assert.equal(cpus(8, {}), 8)
  assert.equal(cpus(8, { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' }), 8)
  assert.equal(
    cpus(8, {
      '/proc/self/cgroup': '3:cpu:/\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    }),
    8,
  )
  assert.equal(cpus(8, { '/proc/self/cgroup': 'nonsense\n0::\n', '/sys/fs/cgroup/cpu.max': '1 1\n' }), 8)
})

test('usableCpus() rounds a quota of cgroup v2 up', () => {
  const group = { '/proc/self/cgroup': '0::/app\n' }
  assert.equal(cpus(8, { ...group, '/sys/fs/cgroup/app/cpu.max': '250000 100000\n' }), 3)
  assert.equal(cpus(8, { ...group, '/sys/fs/cgroup/app/cpu.max': '50000 100000\n' }), 1)
  assert.equal(cpus(2, { ...group, '/sys/fs/cgroup/app/cpu.max': '900000 100000\n' }), 2)
})

test('usableCpus() takes the smallest quota of a cgroup and those above it', () => {
  const files = {
    '/proc/self/cgroup': '0::/kube/pod/app\n',
    '/sys/fs/cgroup/kube/pod/app/cpu.max': 'max 100000\n',
    '/sys/fs/cgroup/kube/pod/cpu.max': '200000 100000\n',
    '/sys/fs/cgroup/kube/cpu.max': '400000 100000\n',
  }
  assert.equal(cpus(8, files), 2)
})

test('usableCpus() takes a quota of cgroup v1, also under the mount of a container', () => {
  const group = { '/proc/self/cgroup': '5:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n' }
  const at = (folder: string) => ({
    [`${folder}/cpu.cfs_quota_us`]: '150000\n',
    [`${folder}/cpu.cfs_period_us`]: '100000\n',
  })
  assert.equal(cpus(8, { ...group, ...at('/sys/fs/cgroup/cpu,cpuacct/docker/1') }), 2)
  assert.equal(cpus(8, { ...group, ...at('/sys/fs/cgroup/cpu,cpuacct') }), 2)
})

test('thisMachine() finds at least one CPU and an address', () => {
  const machine = thisMachine()
  assert.ok(Number.isInteger(machine.cpus) && machine.cpus >= 1)
  assert.ok(machine.addresses.every((address) => address.length > 0))
})

test('thisMachine().realPath() follows links of folders and files, also to where there is nothing', (t) => {
  const { realPath } = thisMachine()
  const directory = realPath(temporaryDirectory(t))
  const at = (name: string) => join(directory, name)
  mkdirSync(at('folder'))
  symlinkSync('folder', at('link'))
  symlinkSync('folder/file', at('dangling'))
  symlinkSync('round', at('round'))
  assert.equal(realPath(at('link/file')), at('folder/file'))
  assert.equal(realPath(at('dangling')), at('folder/file'))
  assert.equal(realPath(at('no/such/file')), at('no/such/file'))
  assert.equal(realPath(at('round')), at('round'))
})
